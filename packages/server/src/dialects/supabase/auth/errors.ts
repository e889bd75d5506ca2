/** Errors as GoTrue words them, in both versions of its API. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { statusOf } from '../../../http/server.ts'
import { type AuthReason, isAuthReason } from '../../../identity/errors.ts'
import { AppError, type ErrorCode } from '../../../kernel/errors.ts'

/** From this version on, `code` is the reason rather than the HTTP status. */
export const API_VERSION = '2024-01-01'
export const API_VERSION_HEADER = 'x-supabase-api-version'

/** Statuses that differ from those of the product-level codes. */
const STATUS: Readonly<Partial<Record<AuthReason, number>>> = {
  anonymous_provider_disabled: 422,
  bad_jwt: 403,
  conflict: 409,
  email_conflict_identity_not_deletable: 422,
  email_exists: 422,
  email_not_confirmed: 400,
  email_provider_disabled: 422,
  flow_state_not_found: 404,
  identity_already_exists: 422,
  identity_not_found: 422,
  insufficient_aal: 403,
  invite_not_found: 404,
  manual_linking_disabled: 404,
  mfa_challenge_expired: 422,
  mfa_factor_name_conflict: 422,
  mfa_factor_not_found: 404,
  mfa_ip_address_mismatch: 422,
  mfa_phone_enroll_not_enabled: 422,
  mfa_phone_verify_not_enabled: 422,
  mfa_recovery_codes_enroll_not_enabled: 422,
  mfa_recovery_codes_sole_factor: 422,
  mfa_recovery_codes_verify_not_enabled: 422,
  mfa_totp_enroll_not_enabled: 422,
  mfa_totp_verify_not_enabled: 422,
  mfa_verification_failed: 422,
  mfa_verified_factor_exists: 422,
  mfa_webauthn_enroll_not_enabled: 422,
  otp_disabled: 422,
  phone_exists: 422,
  phone_provider_disabled: 422,
  reauthentication_not_valid: 422,
  same_password: 422,
  session_not_found: 403,
  signup_disabled: 422,
  single_identity_not_deletable: 422,
  sms_send_failed: 422,
  too_many_enrolled_mfa_factors: 422,
  user_already_exists: 422,
  user_banned: 403,
  user_not_found: 404,
  weak_password: 422,
  wechat_account_exists: 422,
}

/** What a failure without a reason of its own is called. */
const BY_CODE: Readonly<Record<ErrorCode, string>> = {
  bad_request: 'validation_failed',
  unauthorized: 'no_authorization',
  forbidden: 'not_admin',
  not_found: 'not_found',
  conflict: 'conflict',
  too_large: 'validation_failed',
  unsupported: 'feature_disabled',
  rate_limited: 'over_request_rate_limit',
  timeout: 'request_timeout',
  unavailable: 'unexpected_failure',
  internal: 'unexpected_failure',
}

export interface AuthFailure {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly weakPasswordReasons: readonly string[] | null
}

/** What a client is told about an error. */
export const failureOf = (error: Error): AuthFailure => {
  const status = statusFor(error)
  if (!(error instanceof AppError)) {
    const message = status >= 500 ? 'Unexpected failure, please check server logs for more information' : error.message
    return { status, code: BY_CODE[codeOfStatus(status)], message, weakPasswordReasons: null }
  }
  const reasons = error.reason === 'weak_password' ? (error.details ?? '').split(',') : null
  return { status, code: nameOf(error), message: error.message, weakPasswordReasons: reasons }
}

const statusFor = (error: Error): number => {
  if (!(error instanceof AppError)) return statusOf(error)
  // A hook chooses its own status.
  if (error.reason === 'hook_refused' && /^4\d\d$/.test(error.details ?? '')) return Number(error.details)
  if (error.reason === 'user_not_found' && error.details === 'token') return 403
  return (isAuthReason(error.reason) ? STATUS[error.reason] : undefined) ?? statusOf(error)
}

const nameOf = (error: AppError): string => {
  if (error.reason === 'hook_refused' || error.reason === 'hook_failed') return 'unexpected_failure'
  if (isAuthReason(error.reason)) return error.reason
  return error.code === 'not_found' && error.reason !== undefined ? error.reason : BY_CODE[error.code]
}

const codeOfStatus = (status: number): ErrorCode => {
  if (status === 404) return 'not_found'
  if (status === 429) return 'rate_limited'
  return status >= 500 ? 'internal' : 'bad_request'
}

const isCurrent = (request: FastifyRequest): boolean => {
  const asked = request.headers[API_VERSION_HEADER]
  return typeof asked === 'string' && /^\d{4}-\d\d-\d\d$/.test(asked) && asked >= API_VERSION
}

/** The body of an error, in the words of the version that the client asked for. */
export const renderFailure = (failure: AuthFailure, current: boolean, requestId: string): object => {
  const { status, code, message, weakPasswordReasons } = failure
  const weak = weakPasswordReasons === null ? {} : { weak_password: { reasons: weakPasswordReasons } }
  const id = status >= 500 ? { error_id: requestId } : {}
  return current ? { code, message, ...weak, ...id } : { code: status, error_code: code, msg: message, ...weak, ...id }
}

/** Answers a request with an error. */
export const sendAuthError = (error: Error, request: FastifyRequest, reply: FastifyReply): unknown => {
  const failure = failureOf(error)
  if (failure.status >= 500) request.log.error({ error }, 'auth request failed')
  if (error instanceof AppError && error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
  const current = isCurrent(request)
  if (current) reply.header(API_VERSION_HEADER, API_VERSION)
  return reply
    .code(failure.status)
    .type('application/json; charset=utf-8')
    .send(renderFailure(failure, current, request.id))
}
