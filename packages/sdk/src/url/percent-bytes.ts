/** Percent-decoding of whatever comes: wrong escapes stay as they are, broken characters become U+FFFD. */
import { utf8Decode, utf8Encode } from '../core/bytes.ts'

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

/** Without a byte order mark being dropped: it is part of the text here. */
export function decodeBroken(text: string): string {
  const bytes = decodeBytes(text)
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
    ? `\ufeff${utf8Decode(bytes.subarray(3))}`
    : utf8Decode(bytes)
}
