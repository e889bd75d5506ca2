/** The two ways in which clients send a file: as the body itself, or as a part of a form. */
import type { IncomingMessage } from 'node:http'
import { refusal } from '../../../files/errors.ts'
import { readForm } from '../../../files/form-file.ts'
import { typeOfBody, typeOfPart } from '../../../files/media-types.ts'
import { isStorableText } from '../../../files/names.ts'
import { isCacheControl } from '../../../files/serving.ts'
import type { Description, Upload } from '../../../files/uploads.ts'
import { isObject, type JsonObject, parseJson } from '../../../kernel/json.ts'

export type UploadBody = Pick<
  Upload,
  'body' | 'contentType' | 'announced' | 'arrived' | 'cacheControl' | 'userMetadata' | 'afterwards'
>

/** Looks into the request as far as needed to know the file's type. `name` is the object's. */
export const readUpload = async (request: IncomingMessage, name: string): Promise<UploadBody> => {
  const header = request.headers['content-type']
  const announced = contentLengthOf(request)
  const fromHeaders = describeHeaders(request)
  if (header === undefined || !/^multipart\/form-data\b/i.test(header.trim())) {
    return {
      ...fromHeaders,
      body: request,
      contentType: typeOfBody(header, name),
      announced,
      arrived: hasArrived(request),
    }
  }
  const form = await readForm(request)
  return {
    ...fromHeaders,
    ...describeFields(form.fields),
    body: form.stream,
    contentType: typeOfPart(form.contentType, name),
    // The announced length is that of the whole form; its file is a little smaller.
    announced: null,
    arrived: hasArrived(request),
    afterwards: async () => describeFields(await form.rest),
  }
}

/** A body of this size is in memory anyway by the time that its bucket is known. */
const SMALL = 64 * 1024

/** Whether a request's body is small and here, whole. */
export const hasArrived = (request: IncomingMessage) => (): boolean =>
  request.complete && (contentLengthOf(request) ?? Number.POSITIVE_INFINITY) <= SMALL

/** How many bytes the client announced; null when it did not say. */
export const contentLengthOf = ({ headers }: IncomingMessage): number | null => {
  const length = headers['content-length']
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : null
}

const describeHeaders = ({ headers }: IncomingMessage): Description => {
  const metadata = headers['x-metadata']
  const encoded = Array.isArray(metadata) ? metadata[0] : metadata
  return {
    ...cacheControlFrom(headers['cache-control']),
    ...(encoded === undefined || encoded === ''
      ? {}
      : { userMetadata: checkedMetadata(Buffer.from(encoded, 'base64').toString()) }),
  }
}

const describeFields = (fields: ReadonlyMap<string, string>): Description => {
  const metadata = fields.get('metadata')
  return {
    ...cacheControlFrom(fields.get('cacheControl')),
    ...(metadata === undefined || metadata === '' ? {} : { userMetadata: checkedMetadata(metadata) }),
  }
}

/** Clients send seconds in a form and a whole directive in a header. What cannot be a directive is left out. */
export const cacheControlFrom = (value: string | undefined): Description => {
  if (value === undefined || value === '') return {}
  const directive = /^\d+$/.test(value) ? `max-age=${value}` : value
  return isCacheControl(directive) ? { cacheControl: directive } : {}
}

/** Custom metadata from JSON text: an object that Postgres can hold. */
export const checkedMetadata = (text: string): JsonObject => {
  const value = parseJson(text)
  if (!isObject(value) || !isStorableText(text) || /\\u0000/.test(text)) {
    throw refusal('invalid_parameter', 'metadata must be a JSON object')
  }
  return value
}

/** Whether the client went away in the middle. */
export const brokenOff = (request: IncomingMessage): boolean => request.destroyed && !request.complete

export const connectionLost = (cause: unknown) =>
  refusal('invalid_body', 'The connection was closed before the upload was complete', { cause })
