/** What Postgres refuses, told as refusals of the file service. */
import { databaseError, isConnectionLoss } from '../db/pool.ts'
import { refusal } from './errors.ts'

/** What Postgres refused, in the terms of this service. Anything unexpected stays what it is. */
export const fromDatabase = (error: unknown): unknown => {
  const database = databaseError(error)
  if (database === null || isConnectionLoss(error)) return error
  const code = database.code ?? ''
  if (code === '42501') {
    const message = /row-level security/.test(database.message)
      ? 'new row violates row-level security policy'
      : database.message
    return refusal('access_denied', message, { cause: error })
  }
  if (code === '23505') return refusal('object_exists', 'The resource already exists', { cause: error })
  if (code === '23503') {
    return refusal('bucket_not_found', 'The related resource does not exist', { cause: error })
  }
  if (code === '57014') return refusal('statement_timeout', 'The database took too long', { cause: error })
  // Class 22 is bad data, P0001 is what a trigger or a policy of the app itself raised.
  if (code.startsWith('22') || code === 'P0001' || code === '23514' || code === '23502') {
    return refusal('invalid_parameter', database.message, { cause: error })
  }
  return error
}

/** Runs database work and rethrows its refusals in the terms of this service. */
export const translated = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    throw fromDatabase(error)
  }
}
