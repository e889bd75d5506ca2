/** What may be asked of a picture, and what a picture is: parameters, formats, signatures. Pure. */
import { isObject, type JsonObject } from '../kernel/json.ts'
import { refusal } from './errors.ts'

export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'avif'

export interface Transform {
  readonly width: number | null
  readonly height: number | null
  readonly resize: 'cover' | 'contain' | 'fill'
  readonly quality: number
  /** `auto`: as small as the client can read; `origin`: as it is. */
  readonly format: 'auto' | 'origin' | ImageFormat
}

/** Supabase's own bounds. */
const MAX_SIDE = 2500
const QUALITY = { least: 20, most: 100, usual: 80 }
const RESIZES = ['cover', 'contain', 'fill'] as const
const FORMATS = ['auto', 'origin', 'jpeg', 'png', 'webp', 'gif', 'avif'] as const

/** From a query or a JSON body; fields that it does not know are left alone. Throws `invalid_parameter`. */
export const parseTransform = (given: JsonObject): Transform => ({
  width: integer(given, 'width', [1, MAX_SIDE]),
  height: integer(given, 'height', [1, MAX_SIDE]),
  resize: word(given, 'resize', RESIZES) ?? 'cover',
  quality: integer(given, 'quality', [QUALITY.least, QUALITY.most]) ?? QUALITY.usual,
  format: word(given, 'format', FORMATS) ?? 'auto',
})

/** The `transform` of a JSON body; null when there is none to do. */
export const transformIn = (body: JsonObject): Transform | null => {
  const { transform } = body
  if (transform === undefined || transform === null) return null
  if (!isObject(transform)) throw refusal('invalid_parameter', 'transform must be an object')
  return Object.keys(transform).length === 0 ? null : parseTransform(transform)
}

const own = (given: JsonObject, field: string): unknown => (Object.hasOwn(given, field) ? given[field] : undefined)

const integer = (given: JsonObject, field: string, [least, most]: readonly [number, number]): number | null => {
  const value = own(given, field)
  if (value === undefined || value === null || value === '') return null
  const number = typeof value === 'number' || (typeof value === 'string' && /^\d{1,5}$/.test(value)) ? Number(value) : 0
  if (Number.isInteger(number) && number >= least && number <= most) return number
  throw refusal('invalid_parameter', `${field} must be a whole number from ${least} to ${most}`)
}

const word = <T extends string>(given: JsonObject, field: string, allowed: readonly T[]): T | null => {
  const value = own(given, field)
  if (value === undefined || value === null || value === '') return null
  const found = allowed.find((each) => each === value)
  if (found === undefined) throw refusal('invalid_parameter', `${field} must be one of ${allowed.join(', ')}`)
  return found
}

/** The media type of what comes out. */
export const typeOfFormat = (format: ImageFormat): string => `image/${format}`

/** What a client that accepts `accept` gets from a picture of `source`. AVIF is slow to make: only where the bucket wants it. */
export const outputFormat = (
  { format }: Transform,
  source: SourceFormat,
  { accept, avif }: { readonly accept: string; readonly avif: boolean },
): ImageFormat => {
  if (format !== 'auto' && format !== 'origin') return format
  if (format === 'auto' && avif && /\bimage\/avif\b/.test(accept)) return 'avif'
  if (format === 'auto' && /\bimage\/webp\b/.test(accept)) return 'webp'
  return source === 'tiff' ? 'png' : source
}

export type SourceFormat = ImageFormat | 'tiff'

/**
 * What the first bytes say a picture is; null for anything else. Nothing that is not on this list reaches a decoder, whatever its declared
 * type: an SVG, for one, may name other files and take any amount of work.
 */
export const sniff = (head: Uint8Array): SourceFormat | null => {
  const text = Buffer.from(head.subarray(0, 32)).toString('latin1')
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg'
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png'
  if (/^GIF8[79]a/.test(text)) return 'gif'
  if (/^RIFF[\s\S]{4}WEBP/.test(text)) return 'webp'
  if (/^[\s\S]{4}ftyp(?:avif|avis)/.test(text) || /^[\s\S]{4}ftypmif1[\s\S]{4,12}avif/.test(text)) return 'avif'
  if (/^(?:II\*\0|MM\0\*)/.test(text)) return 'tiff'
  return null
}
