/** The refusals of the file service, each with a reason that every dialect words in its own way. */
import { AppError, type ErrorCode } from '../kernel/errors.ts'

/** Why the file service refused, and the product-level code that goes with it. */
const REASONS = {
  bucket_not_found: 'not_found',
  object_not_found: 'not_found',
  upload_not_found: 'not_found',
  upload_offset: 'conflict',
  upload_overtaken: 'conflict',
  bucket_exists: 'conflict',
  object_exists: 'conflict',
  bucket_not_empty: 'conflict',
  invalid_bucket_name: 'bad_request',
  invalid_key: 'bad_request',
  invalid_range: 'bad_request',
  invalid_parameter: 'bad_request',
  invalid_body: 'bad_request',
  invalid_image: 'bad_request',
  invalid_part: 'bad_request',
  invalid_digest: 'bad_request',
  precondition: 'conflict',
  no_content: 'bad_request',
  invalid_signature: 'bad_request',
  signature_expired: 'bad_request',
  mime_not_allowed: 'unsupported',
  not_supported: 'unsupported',
  file_too_large: 'too_large',
  too_slow: 'timeout',
  access_denied: 'forbidden',
  statement_timeout: 'timeout',
  disk_full: 'unavailable',
  bytes_lost: 'internal',
} as const satisfies Record<string, ErrorCode>

export type FilesReason = keyof typeof REASONS

/** Makes the error for `reason`. The message is what the caller reads. */
export const refusal = (reason: FilesReason, message: string, options: { readonly cause?: unknown } = {}): AppError =>
  new AppError(REASONS[reason], message, { ...options, reason })

/** The reason of an error that came out of this service; null for any other. */
export const reasonOf = (error: unknown): FilesReason | null =>
  error instanceof AppError && error.reason !== undefined && error.reason in REASONS
    ? // `in` has just checked it.
      (error.reason as FilesReason)
    : null

export const bucketNotFound = () => refusal('bucket_not_found', 'Bucket not found')
export const objectNotFound = () => refusal('object_not_found', 'Object not found')
export const tooLarge = () => refusal('file_too_large', 'The object exceeded the maximum allowed size')
