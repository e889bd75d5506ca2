/** Media types: which a file has, which a bucket takes, and which a browser would run. Pure. */
import { refusal } from './errors.ts'

const BY_EXTENSION: Readonly<Record<string, string>> = {
  aac: 'audio/aac',
  apk: 'application/vnd.android.package-archive',
  avif: 'image/avif',
  bmp: 'image/bmp',
  css: 'text/css',
  csv: 'text/csv',
  doc: 'application/msword',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  flac: 'audio/flac',
  gif: 'image/gif',
  gz: 'application/gzip',
  heic: 'image/heic',
  heif: 'image/heif',
  htm: 'text/html',
  html: 'text/html',
  ico: 'image/x-icon',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'text/javascript',
  json: 'application/json',
  m4a: 'audio/mp4',
  m4v: 'video/x-m4v',
  md: 'text/markdown',
  mjs: 'text/javascript',
  mov: 'video/quicktime',
  mp3: 'audio/mpeg',
  mp4: 'video/mp4',
  oga: 'audio/ogg',
  ogg: 'audio/ogg',
  ogv: 'video/ogg',
  pdf: 'application/pdf',
  png: 'image/png',
  ppt: 'application/vnd.ms-powerpoint',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  svg: 'image/svg+xml',
  tif: 'image/tiff',
  tiff: 'image/tiff',
  ttf: 'font/ttf',
  txt: 'text/plain',
  wasm: 'application/wasm',
  wav: 'audio/wav',
  webm: 'video/webm',
  webp: 'image/webp',
  woff: 'font/woff',
  woff2: 'font/woff2',
  xls: 'application/vnd.ms-excel',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  xml: 'application/xml',
  zip: 'application/zip',
}

export const UNKNOWN_TYPE = 'application/octet-stream'

const TOKEN = "[\\w!#$%&'*+.^`|~-]+"
const MEDIA_TYPE = new RegExp(
  `^${TOKEN}/${TOKEN}(?:[ \\t]*;[ \\t]*${TOKEN}=(?:${TOKEN}|"[\\w !#-\\[\\]-~]*"))*[ \\t]*;?$`,
)
const MAX_LENGTH = 255

/** Whether `text` is a well-formed media type, safe to send back in a header. */
export const isMediaType = (text: string): boolean => text.length <= MAX_LENGTH && MEDIA_TYPE.test(text)

/** The type without its parameters, in lower case. */
export const essenceOf = (type: string): string => (type.split(';', 1)[0] ?? '').trim().toLowerCase()

/** The usual type of a file of this name; undefined when its extension says nothing. */
export const typeByName = (name: string): string | undefined => {
  const extension = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase()
  return extension !== undefined && Object.hasOwn(BY_EXTENSION, extension) ? BY_EXTENSION[extension] : undefined
}

/** What old type tables call things that browsers know by another name; the mini-program client's own table is one of them. */
const MISNAMED = new Set([
  UNKNOWN_TYPE,
  'text/xml',
  'video/mpeg4',
  'image/jpg',
  'application/x-jpg',
  'application/x-jpe',
  'application/x-png',
  'application/x-bmp',
])

/**
 * The type of an uploaded form part. A form client guesses from the name; where its guess is a known misnomer, the name decides,
 * but only in favour of pictures, sound and film: a guess must never turn a download into a page.
 */
export const typeOfPart = (declared: string, name: string): string => {
  const byName = typeByName(name)
  if (byName === undefined || !MISNAMED.has(essenceOf(declared))) return declared
  return /^(image|audio|video)\//.test(byName) ? byName : declared
}

/** The type of a raw upload: the header's, else the one that the name suggests. */
export const typeOfBody = (header: string | undefined, name: string): string =>
  header === undefined || header.trim() === '' ? (typeByName(name) ?? UNKNOWN_TYPE) : header.trim()

/** Throws `mime_not_allowed` unless the bucket takes this type. `null` takes everything. */
export const assertAllowed = (type: string, allowed: readonly string[] | null): void => {
  if (!isMediaType(type)) throw refusal('mime_not_allowed', 'mime type is not valid')
  if (allowed === null || allowed.length === 0) return
  const essence = essenceOf(type)
  const [family] = essence.split('/')
  const ok = allowed.some((pattern) => {
    const wanted = essenceOf(pattern)
    return wanted === '*' || wanted === '*/*' || wanted === essence || wanted === `${family}/*`
  })
  if (!ok) throw refusal('mime_not_allowed', `mime type ${essence} is not supported`)
}

const PASSIVE = new Set([
  UNKNOWN_TYPE,
  'application/pdf',
  'application/json',
  'application/zip',
  'application/gzip',
  'text/plain',
  'text/csv',
  'text/markdown',
])

/** Whether a browser can do nothing with this type but show, play or save it. Everything else is served locked up. */
export const isPassive = (type: string): boolean => {
  const essence = essenceOf(type)
  if (essence.endsWith('+xml')) return false
  return PASSIVE.has(essence) || /^(image|audio|video|font)\//.test(essence)
}

/** Whether `<script src>` or a worker would run this type. */
export const isScript = (type: string): boolean => /(?:java|ecma|j|live)script/.test(essenceOf(type))

/** Whether opening this type's address shows a page that could run scripts; svg is told apart because pictures must stay visible. */
export const isDocument = (type: string): boolean => {
  const essence = essenceOf(type)
  return essence !== 'image/svg+xml' && (/html|xml/.test(essence) || essence.startsWith('multipart/'))
}
