/** Percent-encoding by the sets of the URL standard. */
import { codePointAt, utf8Encode } from '../core/bytes.ts'
import { lazy } from '../core/lazy.ts'

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

/** A name or value of a form. */
export function decodeForm(text: string): string {
  const spaced = text.replace(/\+/g, ' ')
  try {
    return decodeURIComponent(spaced)
  } catch {
    return lazy._extras()._decodeBroken(spaced)
  }
}
