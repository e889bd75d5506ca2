/** The Range header, for one range of bytes. Pure. */
import type { ByteRange } from './blob-store.ts'

const ONE_RANGE = /^bytes=[ \t]*(\d{0,15})[ \t]*-[ \t]*(\d{0,15})[ \t]*$/i

/**
 * The wanted bytes, `unsatisfiable` when none of them exist, or null for the whole: no header, a malformed one, another unit.
 * Several ranges in one request are answered with the whole, as RFC 9110 allows: overlapping ones would multiply the work.
 */
export const parseRange = (header: string | undefined, size: number): ByteRange | 'unsatisfiable' | null => {
  const match = header === undefined ? null : ONE_RANGE.exec(header.trim())
  if (match === null) return null
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return null
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return null
  if (start >= size) return 'unsatisfiable'
  return { start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) }
}
