/** Codes on paper for the day when the second factor is lost. Each works once; what is kept of them is a hash. */
import { createHash, randomInt } from 'node:crypto'
import type { Principal } from './account.ts'
import { type AuthContext, nowOf } from './context.ts'
import { refuse } from './errors.ts'
import { countRecoveryCodes, deleteFactor, replaceRecoveryCodes, spendRecoveryCode } from './factors.sql.ts'
import { addFactor, assertRaised, raise, sessionOf } from './factors.ts'
import type { Device, Grant } from './session.ts'
import { lowerSessions } from './sessions.sql.ts'
import type { Sessions } from './sessions.ts'
import type { Factor } from './user.ts'

const COUNT = 10
const LENGTH = 16
// Without letters and digits that are taken for each other.
const ALPHABET = '23456789abcdefghjkmnpqrstvwxyz'

export interface RecoveryCodes {
  readonly id: string
  readonly friendlyName: string | null
  readonly codes: readonly string[]
}

const newRecoveryCode = (): string =>
  Array.from({ length: LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)] ?? '').join('')

/** As somebody typed it: case, spaces and dashes mean nothing. 78 bits need no slow hash. */
const hashOf = (factorId: string, code: string): string =>
  createHash('sha256')
    .update(`${factorId}:${code.toLowerCase().replace(/[\s-]/g, '')}`)
    .digest('hex')

const factorOf = ({ user }: Principal): Factor => {
  const factor = user.factors.find((each) => each.type === 'recovery_code')
  if (factor === undefined) throw refuse('mfa_factor_not_found')
  return factor
}

export const recoveryStatus = async (
  context: AuthContext,
  principal: Principal,
): Promise<{ readonly id: string; readonly total: number; readonly remaining: number }> => {
  const { id } = factorOf(principal)
  const count = await context.db.maybeOne<{ total: number; remaining: number }>(countRecoveryCodes(id))
  return { id, total: count?.total ?? 0, remaining: count?.remaining ?? 0 }
}

export const generateRecoveryCodes = async (
  context: AuthContext,
  principal: Principal,
  name: string | undefined,
): Promise<RecoveryCodes> => {
  const { user } = principal
  if (!context.settings.mfa.recoveryCodes) throw refuse('mfa_recovery_codes_enroll_not_enabled')
  if (user.factors.some((each) => each.type === 'recovery_code')) throw refuse('mfa_verified_factor_exists')
  if (!user.factors.some((each) => each.status === 'verified')) throw refuse('mfa_recovery_codes_sole_factor')
  assertRaised(principal)
  const id = context.ids.uuid()
  const friendlyName = name ?? 'Recovery codes'
  const codes = Array.from({ length: COUNT }, newRecoveryCode)
  await context.db.transaction(async (tx) => {
    await addFactor(
      tx,
      { id, userId: user.id, friendlyName, type: 'recovery_code', status: 'verified', secret: null, phone: null },
      nowOf(context),
    )
    await tx.run(
      replaceRecoveryCodes(
        id,
        codes.map((code) => hashOf(id, code)),
      ),
    )
  })
  return { id, friendlyName, codes }
}

export const regenerateRecoveryCodes = async (context: AuthContext, principal: Principal): Promise<RecoveryCodes> => {
  if (!context.settings.mfa.recoveryCodes) throw refuse('mfa_recovery_codes_enroll_not_enabled')
  const { id, friendlyName } = factorOf(principal)
  assertRaised(principal)
  const codes = Array.from({ length: COUNT }, newRecoveryCode)
  await context.db.run(
    replaceRecoveryCodes(
      id,
      codes.map((code) => hashOf(id, code)),
    ),
  )
  return { id, friendlyName, codes }
}

export const useRecoveryCode = async (
  context: AuthContext,
  sessions: Sessions,
  principal: Principal,
  { code, device }: { readonly code: string; readonly device: Device },
): Promise<Grant> => {
  if (!context.settings.mfa.recoveryCodes) throw refuse('mfa_recovery_codes_verify_not_enabled')
  const session = sessionOf(principal)
  const forgive = await context.limits.attempt(device.ip, `recovery:${principal.user.id}`).catch((error: unknown) => {
    const retryAfter = error instanceof Error && 'retryAfter' in error ? Number(error.retryAfter) : 60
    throw refuse('mfa_recovery_codes_locked', undefined, { cause: error, retryAfter })
  })
  const factor = principal.user.factors.find((each) => each.type === 'recovery_code')
  if (factor === undefined) throw refuse('mfa_verification_failed', 'Invalid recovery code entered')
  const grant = await context.db.transaction(async (tx) => {
    const spent = await tx.run(spendRecoveryCode(factor.id, hashOf(factor.id, code), nowOf(context)))
    if (spent === 0) throw refuse('mfa_verification_failed', 'Invalid recovery code entered')
    return raise(context, sessions, { db: tx, session, factorId: factor.id, method: 'mfa/recovery_code' })
  })
  await forgive()
  await context.revocations.applied()
  return grant
}

export const removeRecoveryCodes = async (context: AuthContext, principal: Principal): Promise<string> => {
  const { id } = factorOf(principal)
  assertRaised(principal)
  await context.db.transaction(async (tx) => {
    await tx.run(lowerSessions(principal.user.id, id))
    await tx.run(deleteFactor(id))
  })
  return id
}
