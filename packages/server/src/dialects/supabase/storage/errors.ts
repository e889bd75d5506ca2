/** Errors as Supabase's storage words them: mostly HTTP 400, with the status that is meant as text in the body. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type FilesReason, reasonOf } from '../../../files/errors.ts'
import { AppError, type ErrorCode } from '../../../kernel/errors.ts'

interface Wire {
  readonly statusCode: number
  readonly error: string
  readonly code: string
}

const wire = (statusCode: number, error: string, code: string): Wire => ({ statusCode, error, code })

const BY_REASON: Record<FilesReason, Wire> = {
  bucket_not_found: wire(404, 'Bucket not found', 'NoSuchBucket'),
  object_not_found: wire(404, 'not_found', 'NoSuchKey'),
  upload_not_found: wire(404, 'Not Found', 'NoSuchUpload'),
  upload_offset: wire(409, 'Conflict', 'InvalidUploadOffset'),
  upload_overtaken: wire(423, 'Locked', 'ResourceLocked'),
  bucket_exists: wire(409, 'Duplicate', 'ResourceAlreadyExists'),
  object_exists: wire(409, 'Duplicate', 'KeyAlreadyExists'),
  bucket_not_empty: wire(409, 'InvalidRequest', 'BucketNotEmpty'),
  invalid_bucket_name: wire(400, 'Invalid Input', 'InvalidBucketName'),
  invalid_key: wire(400, 'InvalidKey', 'InvalidKey'),
  invalid_range: wire(416, 'InvalidRange', 'InvalidRange'),
  invalid_parameter: wire(400, 'InvalidRequest', 'InvalidParameter'),
  invalid_body: wire(400, 'InvalidRequest', 'InvalidRequest'),
  invalid_image: wire(422, 'InvalidRequest', 'InvalidRequest'),
  invalid_part: wire(400, 'InvalidRequest', 'InvalidPart'),
  invalid_digest: wire(400, 'InvalidRequest', 'BadDigest'),
  precondition: wire(412, 'PreconditionFailed', 'PreconditionFailed'),
  no_content: wire(400, 'InvalidRequest', 'NoContentProvided'),
  invalid_signature: wire(400, 'InvalidJWT', 'InvalidJWT'),
  signature_expired: wire(400, 'InvalidJWT', 'InvalidJWT'),
  mime_not_allowed: wire(415, 'invalid_mime_type', 'InvalidMimeType'),
  not_supported: wire(501, 'NotImplemented', 'NotImplemented'),
  file_too_large: wire(413, 'Payload too large', 'EntityTooLarge'),
  too_slow: wire(408, 'RequestTimeout', 'RequestTimeout'),
  access_denied: wire(403, 'Unauthorized', 'AccessDenied'),
  statement_timeout: wire(544, 'DatabaseTimeout', 'DatabaseTimeout'),
  disk_full: wire(507, 'InsufficientStorage', 'InsufficientStorage'),
  bytes_lost: wire(500, 'Internal', 'InternalError'),
}

const BY_CODE: Record<ErrorCode, Wire> = {
  bad_request: wire(400, 'InvalidRequest', 'InvalidRequest'),
  unauthorized: wire(403, 'Unauthorized', 'InvalidJWT'),
  forbidden: wire(403, 'Unauthorized', 'AccessDenied'),
  not_found: wire(404, 'Not Found', 'NotFound'),
  conflict: wire(409, 'Duplicate', 'ResourceAlreadyExists'),
  too_large: wire(413, 'Payload too large', 'EntityTooLarge'),
  unsupported: wire(501, 'NotImplemented', 'NotImplemented'),
  rate_limited: wire(429, 'SlowDown', 'SlowDown'),
  timeout: wire(504, 'Timeout', 'Timeout'),
  unavailable: wire(503, 'Unavailable', 'SlowDown'),
  internal: wire(500, 'Internal', 'InternalError'),
}

/** Errors of Fastify's own, by their HTTP status. */
const byStatus = (status: number): Wire => {
  if (status === 404) return BY_CODE.not_found
  if (status === 413) return BY_CODE.too_large
  if (status === 415) return BY_REASON.mime_not_allowed
  return status >= 400 && status < 500 ? BY_CODE.bad_request : BY_CODE.internal
}

/** What an error means, before the status of HTTP is bent for older clients. */
export const wireOf = (error: Error): Wire => {
  const reason = reasonOf(error)
  if (reason !== null) return BY_REASON[reason]
  if (error instanceof AppError) return BY_CODE[error.code]
  return byStatus('statusCode' in error ? Number(error.statusCode) : 500)
}

/** Clients read the status from the body; the one of HTTP is 400, except where proxies and retries go by it. */
const httpStatusOf = ({ statusCode }: Wire): number =>
  statusCode >= 500 || statusCode === 408 || statusCode === 416 || statusCode === 429 ? statusCode : 400

/** The body of an error, also for one entry of a list. */
export const renderError = (error: Error, requestId: string) => {
  const { statusCode, error: name, code } = wireOf(error)
  const known = error instanceof AppError || statusCode < 500
  const message = known ? error.message : `Internal Server Error. Id: ${requestId}`
  return { statusCode: String(statusCode), error: name, message, code }
}

/** Answers a request with an error. A route that does not exist keeps its 404. */
export const sendStorageError = (error: Error, request: FastifyRequest, reply: FastifyReply): unknown => {
  const told = wireOf(error)
  // What is documented as missing is no failure.
  if (told.statusCode >= 500 && told.statusCode !== 501) request.log.error({ error }, 'storage request failed')
  if (error instanceof AppError && error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
  const noRoute = told === BY_CODE.not_found
  return reply
    .code(noRoute ? 404 : httpStatusOf(told))
    .type('application/json; charset=utf-8')
    .send(renderError(error, request.id))
}
