/** Refusals of this service: a machine-readable reason for each, with its product-level code and what the caller is told. */
import { AppError, type AppErrorOptions, type ErrorCode } from '../kernel/errors.ts'

const REASONS = {
  anonymous_provider_disabled: ['forbidden', 'Anonymous sign-ins are disabled'],
  bad_code_verifier: ['bad_request', 'code challenge does not match previously saved code verifier'],
  bad_json: ['bad_request', 'Could not parse request body as JSON'],
  bad_jwt: ['unauthorized', 'invalid JWT: unable to parse or verify signature'],
  bad_oauth_callback: ['bad_request', 'OAuth callback with invalid parameters'],
  bad_oauth_state: ['bad_request', 'OAuth callback with invalid state'],
  captcha_failed: ['bad_request', 'captcha protection: request disallowed'],
  conflict: ['conflict', 'The same record was changed by another request. Please retry.'],
  email_address_invalid: ['bad_request', 'Email address is invalid'],
  email_conflict_identity_not_deletable: ['conflict', 'Unable to unlink identity due to email conflict'],
  email_exists: ['conflict', 'A user with this email address has already been registered'],
  email_not_confirmed: ['bad_request', 'Email not confirmed'],
  email_provider_disabled: ['forbidden', 'Email logins are disabled'],
  flow_state_expired: ['bad_request', 'invalid flow state, flow state has expired'],
  flow_state_not_found: ['not_found', 'invalid flow state, no valid flow state found'],
  hook_failed: ['internal', 'A hook of this project failed'],
  hook_refused: ['forbidden', 'Refused by a hook of this project'],
  identity_already_exists: ['conflict', 'Identity is already linked'],
  identity_not_found: ['not_found', "Identity doesn't exist"],
  insufficient_aal: ['forbidden', 'AAL2 session is required'],
  invalid_credentials: ['bad_request', 'Invalid login credentials'],
  invite_not_found: ['not_found', 'Invite not found'],
  manual_linking_disabled: ['not_found', 'Manual linking is disabled'],
  mfa_challenge_expired: [
    'bad_request',
    'MFA challenge has expired, verify against another challenge or create a new challenge.',
  ],
  mfa_factor_name_conflict: ['conflict', 'A factor with this friendly name for this user already exists'],
  mfa_factor_not_found: ['not_found', 'Factor not found'],
  mfa_ip_address_mismatch: ['bad_request', 'Challenge and verify IP addresses mismatch.'],
  mfa_phone_enroll_not_enabled: ['bad_request', 'MFA enroll is disabled for Phone'],
  mfa_phone_verify_not_enabled: ['bad_request', 'MFA verification is disabled for Phone'],
  mfa_recovery_codes_enroll_not_enabled: ['bad_request', 'MFA enroll is disabled for recovery codes'],
  mfa_recovery_codes_locked: ['rate_limited', 'Too many failed attempts, try again later'],
  mfa_recovery_codes_sole_factor: ['bad_request', 'Recovery codes cannot be the only factor'],
  mfa_recovery_codes_verify_not_enabled: ['bad_request', 'MFA verification is disabled for recovery codes'],
  mfa_totp_enroll_not_enabled: ['bad_request', 'MFA enroll is disabled for TOTP'],
  mfa_totp_verify_not_enabled: ['bad_request', 'MFA verification is disabled for TOTP'],
  mfa_verification_failed: ['bad_request', 'Invalid TOTP code entered'],
  mfa_verified_factor_exists: ['conflict', 'A verified factor of this kind already exists, unenroll it first'],
  mfa_webauthn_enroll_not_enabled: ['bad_request', 'MFA enroll is disabled for WebAuthn'],
  no_authorization: ['unauthorized', 'This endpoint requires a valid Bearer token'],
  not_admin: ['forbidden', 'User not allowed'],
  oauth_provider_not_supported: ['bad_request', 'Unsupported provider'],
  otp_disabled: ['forbidden', 'Signups not allowed for otp'],
  otp_expired: ['forbidden', 'Token has expired or is invalid'],
  over_email_send_rate_limit: ['rate_limited', 'email rate limit exceeded'],
  over_request_rate_limit: ['rate_limited', 'Request rate limit reached'],
  over_sms_send_rate_limit: ['rate_limited', 'SMS rate limit exceeded'],
  phone_exists: ['conflict', 'A user with this phone number has already been registered'],
  phone_not_confirmed: ['bad_request', 'Phone not confirmed'],
  phone_provider_disabled: ['forbidden', 'Phone logins are disabled'],
  provider_disabled: ['bad_request', 'Provider is disabled'],
  provider_email_needs_verification: [
    'forbidden',
    'Unverified email with the provider. A confirmation email has been sent to it.',
  ],
  reauth_nonce_missing: ['bad_request', 'Reauthentication requires a nonce'],
  reauthentication_needed: ['bad_request', 'Password update requires reauthentication'],
  reauthentication_not_valid: ['bad_request', 'Nonce has expired or is invalid'],
  refresh_token_already_used: ['bad_request', 'Invalid Refresh Token: Already Used'],
  refresh_token_not_found: ['bad_request', 'Invalid Refresh Token: Refresh Token Not Found'],
  same_password: ['bad_request', 'New password should be different from the old password.'],
  session_expired: ['bad_request', 'Invalid Refresh Token: Session Expired'],
  session_not_found: ['unauthorized', 'Session from session_id claim in JWT does not exist'],
  signup_disabled: ['forbidden', 'Signups not allowed for this instance'],
  single_identity_not_deletable: ['bad_request', 'User must have at least 1 identity after unlinking'],
  sms_send_failed: ['bad_request', 'Error sending sms OTP'],
  too_many_enrolled_mfa_factors: ['bad_request', 'Maximum number of verified factors reached, unenroll to continue'],
  unexpected_audience: ['bad_request', 'Unacceptable audience in id_token'],
  unexpected_failure: ['internal', 'Unexpected failure, please check server logs for more information'],
  user_already_exists: ['conflict', 'User already registered'],
  user_banned: ['forbidden', 'User is banned'],
  user_not_found: ['not_found', 'User not found'],
  validation_failed: ['bad_request', 'The request is not valid'],
  weak_password: ['bad_request', 'Password is too weak'],
  wechat_account_exists: ['conflict', 'This WeChat account belongs to another user'],
  wechat_code_invalid: ['bad_request', 'The WeChat code is not valid, has expired or was used before'],
  wechat_not_configured: ['unsupported', 'WeChat is not configured on this server'],
  wechat_rejected: ['bad_request', 'WeChat refused the request'],
  wechat_unavailable: ['unavailable', 'WeChat cannot be reached right now'],
} as const satisfies Readonly<Record<string, readonly [ErrorCode, string]>>

/** Why something was refused; a dialect words it. */
export type AuthReason = keyof typeof REASONS

/** An AppError with a reason of this service. */
export const refuse = (reason: AuthReason, message?: string, options: AppErrorOptions = {}): AppError => {
  const [code, text] = REASONS[reason]
  return new AppError(code, message ?? text, { ...options, reason })
}

export const isAuthReason = (reason: string | undefined): reason is AuthReason =>
  reason !== undefined && Object.hasOwn(REASONS, reason)

/** The input broke a documented rule; `message` says which. */
export const invalid = (message: string): AppError => refuse('validation_failed', message)
