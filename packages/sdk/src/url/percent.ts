/** Percent-encoding by the sets of the URL standard. */
import { codePointAt, utf8Encode } from '../core/bytes.ts'
import { utf8Decode } from '../core/encoding.ts'

/** What is encoded besides control characters and everything from DEL on. */
export const FRAGMENT = ' "<>`'
export const QUERY = ' "#<>'
export const SPECIAL_QUERY = `${QUERY}'`
export const PATH = `${QUERY}?^\`{}`
export const USERINFO = `${PATH}/:;=@[\\]|`
const FORM = `${USERINFO}$%&+,!'()~`

const hex = (byte: number): string => `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`

const encodeBytes = (text: string): string => Array.prototype.map.call(utf8Encode(text), hex).join('')

/** Encodes the characters of a set. */
export function encode(text: string, set: string): string {
  let result = ''
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at)
    const code = codePointAt(text, at)
    if (code > 0x1f && code < 0x7f && set.indexOf(character) < 0) result += character
    else {
      const size = code > 0xffff ? 2 : 1
      result += encodeBytes(text.slice(at, at + size))
      at += size - 1
    }
  }
  return result
}

/** As the body of a form: space is a plus sign. */
export const encodeForm = (text: string): string => encode(text, FORM).replace(/%20/g, '+')

/** The bytes of a text with its percent-encoded ones decoded. */
export function decodeBytes(text: string): Uint8Array {
  const source = utf8Encode(text)
  const bytes: number[] = []
  for (let at = 0; at < source.length; at++) {
    const digits = source[at] === 0x25 ? String.fromCharCode(source[at + 1] ?? 0, source[at + 2] ?? 0) : ''
    const isEscape = /^[0-9a-f]{2}$/i.test(digits)
    bytes.push(isEscape ? Number.parseInt(digits, 16) : (source[at] ?? 0))
    if (isEscape) at += 2
  }
  return new Uint8Array(bytes)
}

/** A name or value of a form. */
export const decodeForm = (text: string): string => decode(text.replace(/\+/g, ' '))

/** Without a byte order mark being dropped: it is part of the text here. */
const decode = (text: string): string => (text.indexOf('%') < 0 ? text : decodeKeepingBom(decodeBytes(text)))

const decodeKeepingBom = (bytes: Uint8Array): string =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
    ? `\ufeff${utf8Decode(bytes.subarray(3))}`
    : utf8Decode(bytes)
