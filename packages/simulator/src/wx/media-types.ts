/** File kinds from their first bytes or their extension: a temporary file keeps no name and no MIME type. */

const TYPES: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  bmp: 'image/bmp',
  svg: 'image/svg+xml',
  mp4: 'video/mp4',
  mov: 'video/quicktime',
  webm: 'video/webm',
  mp3: 'audio/mpeg',
  m4a: 'audio/mp4',
  aac: 'audio/aac',
  wav: 'audio/wav',
  json: 'application/json',
  txt: 'text/plain',
  pdf: 'application/pdf',
  zip: 'application/zip',
  html: 'text/html',
}

const SIGNATURES: readonly (readonly [kind: string, at: number, bytes: readonly number[]])[] = [
  ['png', 0, [0x89, 0x50, 0x4e, 0x47]],
  ['jpg', 0, [0xff, 0xd8, 0xff]],
  ['gif', 0, [0x47, 0x49, 0x46, 0x38]],
  ['webp', 8, [0x57, 0x45, 0x42, 0x50]],
  ['bmp', 0, [0x42, 0x4d]],
  ['mp4', 4, [0x66, 0x74, 0x79, 0x70]],
  ['webm', 0, [0x1a, 0x45, 0xdf, 0xa3]],
  ['pdf', 0, [0x25, 0x50, 0x44, 0x46]],
  ['zip', 0, [0x50, 0x4b, 0x03, 0x04]],
]

const sniff = (bytes: Uint8Array): string =>
  SIGNATURES.find(([, at, magic]) => magic.every((byte, index) => bytes[at + index] === byte))?.[0] ?? ''

const suffix = (name: string): string => /\.([a-z0-9]{1,8})$/i.exec(name)?.[1]?.toLowerCase() ?? ''

/** The extension a temporary file gets: from the bytes, else the name, else the MIME type. */
export function extensionOf(bytes: Uint8Array, name: string, type = ''): string {
  const plain = type.split(';', 1)[0]?.trim() ?? ''
  const byType = Object.entries(TYPES).find(([, mime]) => mime === plain)?.[0] ?? ''
  return sniff(bytes) || suffix(name) || byType
}

/** The MIME type of a file: from the bytes, else the extension. */
export const mimeOf = (bytes: Uint8Array, name: string): string =>
  TYPES[sniff(bytes) || suffix(name)] ?? 'application/octet-stream'

/** What getImageInfo calls the type. */
export function imageTypeOf(bytes: Uint8Array): string {
  const kind = sniff(bytes)
  return kind === 'jpg' ? 'jpeg' : ['png', 'gif', 'webp', 'bmp'].includes(kind) ? kind : 'unknown'
}
