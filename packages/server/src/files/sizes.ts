/** File size limits as people write them: 1048576, "50MB", "50MiB". Pure. */
import { refusal } from './errors.ts'

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
}

/** Bytes. Throws `invalid_parameter` for anything that is not a size. */
export const parseSize = (value: number | string): number => {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([kmg]?i?b)?$/i.exec(String(value).trim())
  const factor = UNITS[(match?.[2] ?? 'b').toLowerCase()]
  if (match === null || factor === undefined) throw refusal('invalid_parameter', `${value} is not a file size`)
  const bytes = Math.floor(Number(match[1]) * factor)
  if (!Number.isSafeInteger(bytes)) throw refusal('invalid_parameter', `${value} is not a file size`)
  return bytes
}
