/** What went wrong between us and Postgres: a refusal of the database, a plan that went stale, or a connection that was lost. */
import pg from 'pg'
import { AppError, toError } from '../kernel/errors.ts'

/** Postgres's error, when it is one. */
export const databaseError = (error: unknown): pg.DatabaseError | null =>
  error instanceof pg.DatabaseError ? error : null

/** Whether a prepared plan is gone or no longer fits, so that preparing it anew helps. */
// 26000: the pooler gave us another server connection. 0A000 from RevalidateCachedQuery: DDL changed what the statement returns.
export const isStalePlan = (error: unknown): boolean => {
  const database = databaseError(error)
  if (database === null) return false
  return database.code === '26000' || (database.code === '0A000' && database.routine === 'RevalidateCachedQuery')
}

const CONNECTION_CODES = new Set(['57P01', '57P02', '57P03', '57P05', '53300'])

/** Whether the connection itself is what failed: class 08, a server that is going down or starting, a socket error. */
export const isConnectionLoss = (error: unknown): boolean => {
  if (error instanceof AppError) return error.code === 'unavailable'
  const database = databaseError(error)
  if (database !== null) {
    const code = database.code ?? ''
    return CONNECTION_CODES.has(code) || (code.startsWith('08') && code !== '08P01')
  }
  if (!(error instanceof Error)) return false
  // A missing Unix socket is a missing server; any other missing file is not.
  if ('code' in error && error.code === 'ENOENT') return 'syscall' in error && error.syscall === 'connect'
  const code = 'code' in error ? String(error.code) : ''
  return SOCKET_CODES.test(code) || SOCKET_MESSAGES.test(error.message)
}

const SOCKET_CODES = /^(E(CONN|PIPE|HOST|NET|TIMEDOUT)|EAI_|ENOTFOUND$)/
const SOCKET_MESSAGES =
  /Connection terminated|connection timeout|not queryable|timeout exceeded when trying to connect|Client was closed/i

/** Why a connection failed, in one line. A name with several addresses fails with one error for each. */
export const reasonOf = (error: unknown): string => {
  if (error instanceof AppError && error.cause !== undefined) return reasonOf(error.cause)
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  return toError(error).message
}

/** The error that callers see of a lost connection. */
export const unavailable = (cause: unknown): AppError =>
  cause instanceof AppError
    ? cause
    : new AppError('unavailable', 'The database cannot be reached right now.', { cause, retryAfter: 1 })
