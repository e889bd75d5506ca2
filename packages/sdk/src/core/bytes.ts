/** Bytes: UTF-8 in one piece, joining, and what counts as bytes. */
import { lazy } from './lazy.ts'

/** The text as UTF-8; a lone surrogate becomes U+FFFD. */
export function utf8Encode(text: string): Uint8Array<ArrayBuffer> {
  // Three bytes for each code unit are always enough: a pair takes four for two.
  const bytes = new Uint8Array(text.length * 3)
  let length = 0
  for (let at = 0; at < text.length; at++) {
    const code = codePointAt(text, at)
    if (code > 0xffff) at++
    if (code < 0x80) bytes[length++] = code
    else {
      if (code < 0x800) bytes[length++] = 0xc0 | (code >> 6)
      else {
        if (code < 0x10000) bytes[length++] = 0xe0 | (code >> 12)
        else {
          bytes[length++] = 0xf0 | (code >> 18)
          bytes[length++] = 0x80 | ((code >> 12) & 0x3f)
        }
        bytes[length++] = 0x80 | ((code >> 6) & 0x3f)
      }
      bytes[length++] = 0x80 | (code & 0x3f)
    }
  }
  return bytes.slice(0, length)
}

/** How many code units go through one call of fromCharCode: engines limit the number of arguments. */
const RUN = 4096

/** The text of UTF-8 bytes, as `Body.text()` reads it: broken characters become U+FFFD, a byte order mark is dropped. */
export function utf8Decode(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += RUN)
    // `apply` takes anything with a length; the type knows arrays alone.
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + RUN) as unknown as number[])
  try {
    return text
      .replace(/[\x80-\xff]+/g, (run) =>
        decodeURIComponent(run.replace(/./g, (byte) => `%${byte.charCodeAt(0).toString(16)}`)),
      )
      .replace(/^\ufeff/, '')
  } catch {
    return new (lazy._extras().TextDecoder)().decode(bytes)
  }
}

/** The code point at a place; a lone surrogate is U+FFFD. */
export function codePointAt(text: string, at: number): number {
  const code = text.charCodeAt(at)
  if (code < 0xd800 || code > 0xdfff) return code
  const next = text.charCodeAt(at + 1)
  return code < 0xdc00 && next >= 0xdc00 && next <= 0xdfff
    ? ((code - 0xd800) << 10) + (next - 0xdc00) + 0x10000
    : 0xfffd
}

/** The text with every lone surrogate replaced: a USVString of the standards. */
export function scalarValues(value: unknown): string {
  const text = String(value)
  return /[\ud800-\udfff]/.test(text)
    ? text.replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, (found) => (found.length > 1 ? found : '\ufffd'))
    : text
}

/** All in one. */
export function concat(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

/** By name, not by class: buffers that `wx` answers may belong to another realm. */
export const isBuffer = (value: unknown): value is ArrayBuffer =>
  Object.prototype.toString.call(value) === '[object ArrayBuffer]'

/** The bytes of a buffer or a view, without a copy; null for anything else. */
export function viewOf(value: unknown): Uint8Array | null {
  if (isBuffer(value)) return new Uint8Array(value)
  if (!ArrayBuffer.isView(value)) return null
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
}

/** A buffer that holds exactly these bytes. */
export function bufferOf(bytes: Uint8Array): ArrayBuffer {
  const { buffer, byteLength } = bytes
  // A view over shared memory is copied: `wx` takes an ArrayBuffer only.
  if (isBuffer(buffer) && byteLength === buffer.byteLength) return buffer
  return new Uint8Array(bytes).buffer
}
