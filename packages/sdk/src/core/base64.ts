/** btoa and atob. */
import { DOMException } from './errors.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

const invalid = (): DOMException => new DOMException('The string contains invalid characters', 'InvalidCharacterError')

/** A string of bytes to base64. */
export function btoa(value: unknown): string {
  const text = String(value)
  let result = ''
  for (let at = 0; at < text.length; at += 3) {
    let group = 0
    for (let place = 0; place < 3; place++) {
      const code = at + place < text.length ? text.charCodeAt(at + place) : 0
      if (code > 0xff) throw invalid()
      group = (group << 8) | code
    }
    const left = text.length - at
    for (let place = 0; place < 4; place++)
      result += place <= left ? ALPHABET.charAt((group >> (18 - 6 * place)) & 63) : '='
  }
  return result
}

/** Base64 to a string of bytes; white space is ignored, missing padding forgiven. */
export function atob(value: unknown): string {
  let text = String(value).replace(/[\t\n\f\r ]/g, '')
  if (text.length % 4 === 0) text = text.replace(/==?$/, '')
  if (text.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(text)) throw invalid()
  let result = ''
  let group = 0
  for (let at = 0; at < text.length; at++) {
    group = ((group << 6) | ALPHABET.indexOf(text.charAt(at))) & 0xffffff
    // Every character after the first of a group of four completes one byte.
    if (at % 4 > 0) result += String.fromCharCode((group >> (6 - 2 * (at % 4))) & 0xff)
  }
  return result
}
