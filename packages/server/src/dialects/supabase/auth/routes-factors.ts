/** Second factors and recovery codes. */
import type { FastifyInstance } from 'fastify'
import { invalid, refuse } from '../../../identity/errors.ts'
import { challengeFactor, enrolFactor, unenrolFactor, verifyChallenge } from '../../../identity/factors.ts'
import { isUuid } from '../../../identity/principal.ts'
import {
  generateRecoveryCodes,
  type RecoveryCodes,
  recoveryStatus,
  regenerateRecoveryCodes,
  removeRecoveryCodes,
  useRecoveryCode,
} from '../../../identity/recovery-codes.ts'
import { bodyOf, requiredText, text } from './body.ts'
import { type AuthServices, deviceOf, requireUser } from './context.ts'
import { renderGrant } from './render.ts'

interface FactorRoute {
  Params: { id: string }
}

const factorIdOf = (id: string): string => {
  if (!isUuid(id)) throw refuse('mfa_factor_not_found')
  return id
}

export const factorRoutes =
  (services: AuthServices) =>
  async (app: FastifyInstance): Promise<void> => {
    const { context, sessions } = services.auth

    app.post('/factors', async (request) => {
      const principal = await requireUser(services, request)
      const body = bodyOf(request)
      const made = await enrolFactor(context, principal, {
        type: text(body, 'factor_type'),
        friendlyName: text(body, 'friendly_name'),
        issuer: text(body, 'issuer'),
        phone: text(body, 'phone'),
      })
      const { id, type, friendlyName, totp, phone } = made
      const name = friendlyName === null ? {} : { friendly_name: friendlyName }
      return totp === null
        ? { id, type, ...name, phone }
        : { id, type, ...name, totp: { qr_code: totp.qrCode, secret: totp.secret, uri: totp.uri } }
    })

    app.post<FactorRoute>('/factors/:id/challenge', async (request) => {
      const principal = await requireUser(services, request)
      const factorId = factorIdOf(request.params.id)
      const { id, type, expiresAt } = await challengeFactor(context, principal, { factorId, device: deviceOf(request) })
      return { id, type, expires_at: expiresAt }
    })

    app.post<FactorRoute>('/factors/:id/verify', async (request) => {
      const principal = await requireUser(services, request)
      const body = bodyOf(request)
      const challengeId = requiredText(body, 'challenge_id', 'challenge_id is required')
      if (!isUuid(challengeId)) throw invalid('challenge_id should be an UUID')
      const grant = await verifyChallenge(context, sessions, principal, {
        factorId: factorIdOf(request.params.id),
        challengeId,
        code: requiredText(body, 'code', 'Code needs to be non-empty'),
        device: deviceOf(request),
      })
      return renderGrant(grant)
    })

    app.delete<FactorRoute>('/factors/:id', async (request) => {
      const principal = await requireUser(services, request)
      await unenrolFactor(context, principal, factorIdOf(request.params.id))
      return { id: request.params.id }
    })

    await app.register(recoveryCodeRoutes(services))
  }

const renderCodes = ({ id, friendlyName, codes }: RecoveryCodes) => ({
  id,
  type: 'recovery_code',
  ...(friendlyName === null ? {} : { friendly_name: friendlyName }),
  total: codes.length,
  codes,
})

const recoveryCodeRoutes =
  (services: AuthServices) =>
  async (app: FastifyInstance): Promise<void> => {
    const { context, sessions } = services.auth

    app.get('/factors/recovery-codes', async (request) => {
      const status = await recoveryStatus(context, await requireUser(services, request))
      return { id: status.id, type: 'recovery_code', total: status.total, remaining: status.remaining }
    })
    app.post('/factors/recovery-codes', async (request) => {
      const principal = await requireUser(services, request)
      return renderCodes(await generateRecoveryCodes(context, principal, text(bodyOf(request), 'friendly_name')))
    })
    app.post('/factors/recovery-codes/regenerate', async (request) =>
      renderCodes(await regenerateRecoveryCodes(context, await requireUser(services, request))),
    )
    app.post('/factors/recovery-codes/verify', async (request) => {
      const principal = await requireUser(services, request)
      const code = requiredText(bodyOf(request), 'code', 'Code needs to be non-empty')
      return renderGrant(await useRecoveryCode(context, sessions, principal, { code, device: deviceOf(request) }))
    })
    app.delete('/factors/recovery-codes', async (request) => ({
      id: await removeRecoveryCodes(context, await requireUser(services, request)),
    }))
  }
