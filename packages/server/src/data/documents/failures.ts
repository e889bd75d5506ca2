/** What PostgreSQL's refusals mean for documents. */
import { databaseError } from '../../db/pool.ts'
import { DocumentError, type DocumentReason } from './errors.ts'

const REASONS: Readonly<Record<string, DocumentReason>> = {
  '23505': 'duplicate_key',
  '42501': 'permission_denied',
  '42P01': 'collection_not_exist',
  '42P07': 'collection_exists',
  '42704': 'invalid_param',
  '42710': 'collection_exists',
  '40001': 'transaction_conflict',
  '40P01': 'transaction_conflict',
  '55P03': 'transaction_conflict',
  '57014': 'timeout',
  '2201B': 'invalid_pattern',
  '22023': 'invalid_param',
  '22P02': 'invalid_value',
  '22P05': 'invalid_value',
  '22021': 'invalid_value',
  '22003': 'invalid_value',
  '22008': 'invalid_value',
  '22007': 'invalid_value',
  '23502': 'invalid_value',
  '23514': 'invalid_value',
  '23503': 'invalid_value',
  '42804': 'invalid_value',
  '428C9': 'invalid_value',
  '54000': 'document_too_large',
}

/** The refusal in our own words; anything else as it is. */
export const documentFailure = (error: unknown, collection: string | null): unknown => {
  const database = databaseError(error)
  const reason = REASONS[database?.code ?? '']
  if (database === null || reason === undefined) return error
  return new DocumentError(reason, messageOf(reason, database.message, collection), { cause: error })
}

const messageOf = (reason: DocumentReason, message: string, collection: string | null): string => {
  switch (reason) {
    case 'permission_denied':
      return 'Permission denied'
    case 'collection_not_exist':
      return `Db or Table not exist: ${collection ?? ''}`
    case 'duplicate_key':
      return message.startsWith('E11000')
        ? message
        : `E11000 duplicate key error collection: ${collection ?? ''} index: _id_`
    case 'transaction_conflict':
      return 'Another transaction changed the same documents; try again'
    case 'timeout':
      return 'The operation took too long'
    default:
      return message
  }
}

export const isConflict = (error: unknown): boolean =>
  error instanceof DocumentError && error.reason === 'transaction_conflict'
