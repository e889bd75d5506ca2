/** Why a document operation was refused. Each dialect maps `reason` to its own code; the message is written for the caller. */
import { AppError, type AppErrorOptions, type ErrorCode } from '../../kernel/errors.ts'

/** Everything that the document engine can refuse, with the product-level code it belongs to. */
const CODES = {
  collection_not_exist: 'not_found',
  collection_exists: 'conflict',
  collection_limit: 'bad_request',
  permission_denied: 'forbidden',
  duplicate_key: 'conflict',
  invalid_operator: 'bad_request',
  invalid_param: 'bad_request',
  invalid_pattern: 'bad_request',
  invalid_value: 'bad_request',
  failed_operation: 'bad_request',
  document_too_large: 'too_large',
  result_too_large: 'too_large',
  unsupported: 'unsupported',
  timeout: 'timeout',
  transaction_conflict: 'conflict',
  transaction_not_exist: 'not_found',
  transaction_limit: 'rate_limited',
} as const satisfies Record<string, ErrorCode>

/** `failed_operation` is an operation that is well formed but impossible on this document or pipeline, for example `$inc` of a text. */
export type DocumentReason = keyof typeof CODES

/** A refusal of the document engine. */
export class DocumentError extends AppError {
  override readonly reason: DocumentReason
  constructor(reason: DocumentReason, message: string, options: Omit<AppErrorOptions, 'reason'> = {}) {
    super(CODES[reason], message, { ...options, reason })
    this.name = 'DocumentError'
    this.reason = reason
  }
}
