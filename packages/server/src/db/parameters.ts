/** How JavaScript values travel to Postgres as parameters: always text, except bytes. */
import type { SqlValue } from '../sql/sql.ts'

const quoteElement = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`

const arrayElement = (value: SqlValue): string => {
  if (value === null || value === undefined) return 'NULL'
  if (Array.isArray(value)) return arrayText(value)
  const parameter = toParameter(value)
  return quoteElement(Buffer.isBuffer(parameter) ? `\\x${parameter.toString('hex')}` : String(parameter))
}

const arrayText = (values: readonly SqlValue[]): string => `{${values.map(arrayElement).join(',')}}`

/** Text (or bytes) for one parameter. Dates become ISO 8601 in UTC, arrays Postgres arrays, other objects JSON. */
export const toParameter = (value: SqlValue): string | Buffer | null => {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return value
  if (typeof value !== 'object') return String(value)
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return arrayText(value)
  return JSON.stringify(value)
}
