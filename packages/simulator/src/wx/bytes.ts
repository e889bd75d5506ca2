/** Bytes and text without TextEncoder, Buffer or atob, because the core runs where none of them exist. */

/** Encodes text as UTF-8; lone surrogates become U+FFFD. */
export function utf8Encode(text: string): Uint8Array {
  const out: number[] = []
  for (const character of text) {
    let point = character.codePointAt(0) ?? 0xfffd
    if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd
    if (point < 0x80) out.push(point)
    else if (point < 0x800) out.push(0xc0 | (point >> 6), 0x80 | (point & 63))
    else if (point < 0x10000) out.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63))
    else out.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 63), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63))
  }
  return Uint8Array.from(out)
}

/** How many continuation bytes follow a lead byte, and its payload bits; null when it is no lead byte. */
function leadByte(byte: number): readonly [extra: number, bits: number] | null {
  if (byte < 0x80) return [0, byte]
  if (byte >= 0xc2 && byte < 0xe0) return [1, byte & 31]
  if (byte >= 0xe0 && byte < 0xf0) return [2, byte & 15]
  if (byte >= 0xf0 && byte < 0xf5) return [3, byte & 7]
  return null
}

/** Decodes UTF-8; whatever is malformed becomes U+FFFD, one for each bad byte. */
export function utf8Decode(bytes: Uint8Array): string {
  let out = ''
  for (let at = 0; at < bytes.length; ) {
    const lead = leadByte(bytes[at] ?? 0)
    let point = lead?.[1] ?? 0xfffd
    let used = 1
    for (let extra = lead?.[0] ?? 0; extra > 0; extra--, used++) {
      const next = bytes[at + used]
      if (next === undefined || (next & 0xc0) !== 0x80) {
        point = 0xfffd
        used = 1
        break
      }
      point = (point << 6) | (next & 63)
    }
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) point = 0xfffd
    out += String.fromCodePoint(point)
    at += used
  }
  return out
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Standard base64 with padding. */
export function base64Encode(bytes: Uint8Array): string {
  let out = ''
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at
    const group = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    out += ALPHABET.charAt(group >> 18) + ALPHABET.charAt((group >> 12) & 63)
    out += left > 1 ? ALPHABET.charAt((group >> 6) & 63) : '='
    out += left > 2 ? ALPHABET.charAt(group & 63) : '='
  }
  return out
}

/** Reads standard and url-safe base64; characters outside the alphabet are skipped. */
export function base64Decode(text: string): Uint8Array {
  const out: number[] = []
  let bits = 0
  let held = 0
  for (const character of text) {
    const value = ALPHABET.indexOf(character === '-' ? '+' : character === '_' ? '/' : character)
    if (value < 0) continue
    held = ((held << 6) | value) & 0xffffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      out.push((held >> bits) & 255)
    }
  }
  return Uint8Array.from(out)
}

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

function utf16Decode(bytes: Uint8Array): string {
  let out = ''
  for (let at = 0; at + 1 < bytes.length; at += 2)
    out += String.fromCharCode((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8))
  return out
}

function utf16Encode(text: string): Uint8Array {
  const out = new Uint8Array(text.length * 2)
  for (let at = 0; at < text.length; at++) {
    out[at * 2] = text.charCodeAt(at) & 255
    out[at * 2 + 1] = text.charCodeAt(at) >> 8
  }
  return out
}

const latin1Decode = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
const latin1Encode = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0) & 255)
const hexDecode = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

interface Encoding {
  readonly encode: (text: string) => Uint8Array
  readonly decode: (bytes: Uint8Array) => string
}

const utf8: Encoding = { encode: utf8Encode, decode: utf8Decode }
const utf16: Encoding = { encode: utf16Encode, decode: utf16Decode }
const latin1: Encoding = { encode: latin1Encode, decode: latin1Decode }
const ascii: Encoding = {
  encode: latin1Encode,
  decode: (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte & 127)).join(''),
}

/** The encodings FileSystemManager knows. */
export const encodings: ReadonlyMap<string, Encoding> = new Map([
  ['utf8', utf8],
  ['utf-8', utf8],
  ['ucs2', utf16],
  ['ucs-2', utf16],
  ['utf16le', utf16],
  ['utf-16le', utf16],
  ['latin1', latin1],
  ['binary', latin1],
  ['ascii', ascii],
  ['base64', { encode: base64Decode, decode: base64Encode }],
  ['hex', { encode: hexDecode, decode: hex }],
])

/** An ArrayBuffer of its own holding exactly these bytes. */
export function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  const copy = new ArrayBuffer(bytes.length)
  new Uint8Array(copy).set(bytes)
  return copy
}

/** True for an ArrayBuffer of whichever realm: tests hand over buffers made outside the mini-program. */
export function isArrayBuffer(value: unknown): value is ArrayBuffer {
  return Object.prototype.toString.call(value) === '[object ArrayBuffer]'
}

/** Joins chunks into one array. */
export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    out.set(chunk, at)
    at += chunk.length
  }
  return out
}
