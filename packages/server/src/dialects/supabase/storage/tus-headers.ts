/** The headers of tus 1.0.0 in both directions. */
import type { IncomingHttpHeaders } from 'node:http'
import { refusal } from '../../../files/errors.ts'
import { UNKNOWN_TYPE } from '../../../files/media-types.ts'
import { isStorableText } from '../../../files/names.ts'
import type { PendingUpload } from '../../../files/pending.sql.ts'
import type { ResumableDraft } from '../../../files/resumable.ts'
import { cacheControlFrom, checkedMetadata } from './upload-body.ts'

export const TUS_VERSION = '1.0.0'
export const TUS_EXTENSIONS = 'creation,creation-with-upload,creation-defer-length,termination,expiration,concatenation'
export const CHUNK_TYPE = 'application/offset+octet-stream'

const MAX_METADATA = 16_384

const wrong = (message: string) => refusal('invalid_parameter', message)

/** A header that holds a number of bytes. */
export const bytesHeader = (headers: IncomingHttpHeaders, name: string): number | undefined => {
  const text = headers[name]
  if (text === undefined) return undefined
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) throw wrong(`${name} must be a number of bytes`)
  return Number(text)
}

/** `key base64,key base64`: every value decoded as UTF-8. */
export const parseMetadata = (header: string): ReadonlyMap<string, string> => {
  if (header.length > MAX_METADATA) throw wrong('Upload-Metadata is too long')
  const pairs = new Map<string, string>()
  for (const pair of header.split(',')) {
    const [key = '', value = '', ...more] = pair.trim().split(/ +/)
    if (key === '' || more.length > 0 || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(value) || pairs.has(key)) {
      throw wrong('Upload-Metadata is malformed')
    }
    const text = decoded(value)
    if (!isStorableText(text)) throw wrong('Upload-Metadata is malformed')
    pairs.set(key, text)
  }
  return pairs
}

const decoded = (value: string): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(value, 'base64'))
  } catch {
    throw wrong('Upload-Metadata is not UTF-8')
  }
}

/** What a creation asks for. */
export const draftOf = (headers: IncomingHttpHeaders): Omit<ResumableDraft, 'signed' | 'mode'> => {
  const concat = concatOf(headers)
  const description = headers['upload-metadata']
  if (typeof description !== 'string') throw wrong('Upload-Metadata is required')
  const about = parseMetadata(description)
  const metadata = about.get('metadata')
  return {
    bucketId: required(about, 'bucketName'),
    name: required(about, 'objectName'),
    length: concat?.startsWith('final') ? null : lengthOf(headers),
    contentType: about.get('contentType')?.trim() || UNKNOWN_TYPE,
    cacheControl: cacheControlFrom(about.get('cacheControl')).cacheControl ?? null,
    userMetadata: metadata === undefined || metadata === '' ? null : checkedMetadata(metadata),
    description,
    concat,
  }
}

const MOST_PIECES = 100
const MAX_CONCAT = 16_384

const concatOf = (headers: IncomingHttpHeaders): string | null => {
  const text = headers['upload-concat']
  if (text === undefined) return null
  if (text === 'partial') return text
  if (typeof text !== 'string' || text.length > MAX_CONCAT || !/^final;[\x20-\x7e]+$/.test(text)) {
    throw wrong('Upload-Concat must be partial, or final; and addresses')
  }
  if (headers['upload-length'] !== undefined) throw wrong('Upload-Length is that of the partial uploads together')
  return text
}

/** The ids of the partial uploads that make a file, in order; null for any other upload. */
export const piecesOf = (concat: string | null): readonly string[] | null => {
  if (concat === null || concat === 'partial') return null
  const places = concat.slice('final;'.length).trim().split(/ +/)
  if (places.length > MOST_PIECES) throw wrong(`At most ${MOST_PIECES} partial uploads make a file`)
  const ids = places.map((place) => place.split('/').at(-1) ?? '')
  if (new Set(ids).size !== ids.length) throw wrong('A partial upload can be in a file once')
  return ids
}

const required = (about: ReadonlyMap<string, string>, key: string): string => {
  const value = about.get(key)
  if (value === undefined || value === '') throw wrong(`Upload-Metadata needs ${key}`)
  return value
}

const lengthOf = (headers: IncomingHttpHeaders): number | null => {
  const length = bytesHeader(headers, 'upload-length')
  const deferred = headers['upload-defer-length']
  if (deferred !== undefined && deferred !== '1') throw wrong('Upload-Defer-Length must be 1')
  if ((length === undefined) === (deferred === undefined)) {
    throw wrong('Either Upload-Length or Upload-Defer-Length is required')
  }
  return length ?? null
}

/** Where an upload is. */
export const stateHeaders = (upload: PendingUpload): Readonly<Record<string, string>> => ({
  'upload-offset': String(upload.received),
  'upload-expires': new Date(upload.expiresAt).toUTCString(),
})

export const descriptionHeaders = ({
  length,
  description,
  concat,
}: PendingUpload): Readonly<Record<string, string>> => ({
  ...(length === null ? { 'upload-defer-length': '1' } : { 'upload-length': String(length) }),
  ...(description === null ? {} : { 'upload-metadata': description }),
  ...(concat === null ? {} : { 'upload-concat': concat }),
})
