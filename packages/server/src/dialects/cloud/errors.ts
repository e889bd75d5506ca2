/** Refusals in CloudBase's own words. Its SDKs map a code to a number of their own and throw anything that is not HTTP 200 away, so errors are answers like others. */
import { DocumentError, type DocumentReason } from '../../data/documents/documents.ts'
import { type FilesReason, reasonOf } from '../../files/errors.ts'
import { AppError, type ErrorCode } from '../../kernel/errors.ts'

/** Codes as CloudBase spells them, mistakes included: clients compare them. */
export type CloudCode =
  | 'SYS_ERR'
  | 'SERVER_TIMEOUT'
  | 'EXCEED_REQUEST_LIMIT'
  | 'EXCEED_CONCURRENT_REQUEST_LIMIT'
  | 'INVALID_PARAM'
  | 'INVALID_COMMON_PARAM'
  | 'INVALID_REQUEST_SOURCE'
  | 'SIGN_PARAM_INVALID'
  | 'DATABASE_REQUEST_FAILED'
  | 'DATABASE_INVALID_OPERRATOR'
  | 'DATABASE_PERMISSION_DENIED'
  | 'DATABASE_COLLECTION_EXCEED_LIMIT'
  | 'DATABASE_COLLECTION_NOT_EXIST'
  | 'DATABASE_DOCUMENT_NOT_EXIST'
  | 'DATABASE_DUPLICATE_WRITE'
  | 'DATABASE_TRANSACTION_CONFLICT'
  | 'DATABASE_TRANSACTION_NOT_EXIST'
  | 'STORAGE_REQUEST_FAIL'
  | 'STORAGE_EXCEED_AUTHORITY'
  | 'STORAGE_FILE_NONEXIST'
  | 'STORAGE_SIGN_PARAM_INVALID'
  | 'FUNCTIONS_REQUEST_FAIL'
  | 'FUNCTIONS_EXECUTE_FAIL'
  | 'FUNCTIONS_TIME_LIMIT_EXCEEDED'
  | 'FUNCTION_NOT_FOUND'
  | 'CHECK_LOGIN_FAILED'
  | 'SIGN_EXPIRED_ERROR'
  | 'QUERYID_INVALID_ERROR'

/** A refusal that is already in these words. */
export class CloudError extends Error {
  readonly code: CloudCode
  constructor(code: CloudCode, message: string) {
    super(message)
    this.name = 'CloudError'
    this.code = code
  }
}

export interface WireError {
  readonly code: CloudCode
  readonly message: string
}

const DOCUMENTS: Readonly<Record<DocumentReason, CloudCode>> = {
  collection_not_exist: 'DATABASE_COLLECTION_NOT_EXIST',
  collection_exists: 'DATABASE_REQUEST_FAILED',
  collection_limit: 'DATABASE_COLLECTION_EXCEED_LIMIT',
  permission_denied: 'DATABASE_PERMISSION_DENIED',
  duplicate_key: 'DATABASE_DUPLICATE_WRITE',
  invalid_operator: 'DATABASE_INVALID_OPERRATOR',
  invalid_param: 'INVALID_PARAM',
  invalid_pattern: 'INVALID_PARAM',
  invalid_value: 'INVALID_PARAM',
  failed_operation: 'DATABASE_REQUEST_FAILED',
  document_too_large: 'DATABASE_REQUEST_FAILED',
  result_too_large: 'DATABASE_REQUEST_FAILED',
  unsupported: 'DATABASE_REQUEST_FAILED',
  timeout: 'SERVER_TIMEOUT',
  transaction_conflict: 'DATABASE_TRANSACTION_CONFLICT',
  transaction_not_exist: 'DATABASE_TRANSACTION_NOT_EXIST',
  transaction_limit: 'EXCEED_REQUEST_LIMIT',
}

const FILES: Partial<Readonly<Record<FilesReason, CloudCode>>> = {
  access_denied: 'STORAGE_EXCEED_AUTHORITY',
  object_not_found: 'STORAGE_FILE_NONEXIST',
  bucket_not_found: 'STORAGE_FILE_NONEXIST',
  invalid_signature: 'STORAGE_SIGN_PARAM_INVALID',
  signature_expired: 'STORAGE_SIGN_PARAM_INVALID',
  invalid_key: 'INVALID_PARAM',
}

const OTHERS: Readonly<Record<ErrorCode, CloudCode>> = {
  bad_request: 'INVALID_PARAM',
  unauthorized: 'CHECK_LOGIN_FAILED',
  forbidden: 'INVALID_REQUEST_SOURCE',
  not_found: 'INVALID_PARAM',
  conflict: 'SYS_ERR',
  too_large: 'INVALID_PARAM',
  unsupported: 'INVALID_PARAM',
  rate_limited: 'EXCEED_REQUEST_LIMIT',
  timeout: 'SERVER_TIMEOUT',
  unavailable: 'SYS_ERR',
  internal: 'SYS_ERR',
}

/** The words for whatever was thrown; null for a failure of our own, which only the log may tell. */
export const wireErrorOf = (error: unknown): WireError | null => {
  if (error instanceof CloudError) return { code: error.code, message: error.message }
  if (error instanceof DocumentError) return { code: DOCUMENTS[error.reason], message: error.message }
  if (!(error instanceof AppError)) return null
  const reason = reasonOf(error)
  const code = reason === null || reason === undefined ? undefined : (FILES[reason] ?? 'STORAGE_REQUEST_FAIL')
  return { code: code ?? OTHERS[error.code], message: error.message }
}
