/** Codes and links: asking for them, and coming back with them. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseEmail } from '../../../identity/addresses.ts'
import { invalid } from '../../../identity/errors.ts'
import { type ResendType, reauthenticate, recover, resend } from '../../../identity/recovery.ts'
import { sendOtp } from '../../../identity/sign-in.ts'
import { parseVerifyType, type VerifyInput, verify } from '../../../identity/verify.ts'
import { toError } from '../../../kernel/errors.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import { addressOf, bodyOf, challengeOf, flag, object, queryOf, requiredText, text } from './body.ts'
import { type AuthServices, deviceOf, redirectOf, requireUser } from './context.ts'
import { failureOf } from './errors.ts'
import { grantFragment, withParameters } from './redirect.ts'
import { renderGrant } from './render.ts'

const RESEND: readonly ResendType[] = ['signup', 'email_change', 'sms', 'phone_change']
const HALF = 'Confirmation link accepted. Please proceed to confirm link sent to the other email'

export const messageRoutes =
  (services: AuthServices) =>
  async (app: FastifyInstance): Promise<void> => {
    const { context } = services.auth

    app.post('/otp', (request) => otp(services, request, bodyOf(request)))
    app.post('/magiclink', (request) => {
      const { phone: _phone, ...body } = bodyOf(request)
      return otp(services, request, { ...body, create_user: true })
    })

    app.post('/recover', async (request) => {
      const body = bodyOf(request)
      await context.limits.byAddress('signInSignUps', deviceOf(request).ip)
      const email = parseEmail(requiredText(body, 'email', 'Password recovery requires an email'))
      await recover(context, email, { redirectTo: redirectOf(request, body), challenge: challengeOf(body) })
      return {}
    })

    app.post('/resend', async (request) => {
      const body = bodyOf(request)
      await context.limits.byAddress('signInSignUps', deviceOf(request).ip)
      const type = RESEND.find((each) => each === text(body, 'type'))
      if (type === undefined) throw invalid('Missing one of these types: signup, email_change, sms, phone_change')
      const address = addressOf(body, 'Only an email address or phone number should be provided.')
      const byPhone = type === 'sms' || type === 'phone_change'
      if (byPhone !== (address.kind === 'phone')) {
        throw invalid(byPhone ? 'Type provided requires a phone number' : 'Type provided requires an email address')
      }
      const options = { redirectTo: redirectOf(request, body), challenge: challengeOf(body) }
      await resend(context, { type, address }, options)
      return {}
    })

    app.get('/reauthenticate', async (request) => {
      const { user } = await requireUser(services, request)
      const id = await reauthenticate(context, user)
      return id === null ? {} : { message_id: id }
    })

    app.post('/verify', (request, reply) => verifyTyped(services, request, reply))
    app.get('/verify', (request, reply) => verifyOpened(services, request, reply))
  }

const otp = async (services: AuthServices, request: FastifyRequest, body: JsonObject): Promise<object> => {
  const { context } = services.auth
  const device = deviceOf(request)
  await context.limits.byAddress('signInSignUps', device.ip)
  const channel = text(body, 'channel')
  if (channel !== undefined && channel !== 'sms') throw invalid('Invalid channel, supported values are: sms')
  const id = await sendOtp(context, {
    address: addressOf(body, 'Only an email address or phone number should be provided'),
    createUser: flag(body, 'create_user') ?? true,
    data: object(body, 'data') ?? {},
    challenge: challengeOf(body),
    redirectTo: redirectOf(request, body),
    device,
  })
  return id === null ? {} : { message_id: id }
}

/** A code that was typed into an app, or the hash of a link that an app opened. */
const verifyTyped = async (services: AuthServices, request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
  const body = bodyOf(request)
  const result = await verify(services.auth.context, services.auth.sessions, {
    type: parseVerifyType(text(body, 'type')),
    proof: proofOf(body),
    device: deviceOf(request),
    opened: false,
  })
  if (result.kind === 'half') return { msg: HALF, code: '200' }
  if (result.kind === 'code') return { auth_code: result.code }
  reply.header('cache-control', 'no-store')
  return renderGrant(result.grant)
}

const proofOf = (body: JsonObject): VerifyInput['proof'] => {
  const [hash, code] = [text(body, 'token_hash'), text(body, 'token')]
  if (hash !== undefined) {
    if (code !== undefined || text(body, 'email') !== undefined || text(body, 'phone') !== undefined) {
      throw invalid('Only the token_hash and type should be provided')
    }
    return { hash }
  }
  if (code === undefined) throw invalid('Verify requires a token or a token hash')
  return { code, address: addressOf(body, 'Only an email address or phone number should be provided on verify') }
}

/** A link that was opened in a browser: whatever comes of it is told to the page that the link leads to. */
const verifyOpened = async (services: AuthServices, request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
  const { context, sessions } = services.auth
  const query = queryOf(request)
  const target = context.redirects.resolve(redirectOf(request))
  const type = parseVerifyType(query.type)
  const hash = query.token ?? query.token_hash
  if (hash === undefined || hash === '') throw invalid('Verify requires a token or a token hash')
  reply.header('cache-control', 'no-store').header('referrer-policy', 'no-referrer')
  try {
    const result = await verify(context, sessions, { type, proof: { hash }, device: deviceOf(request), opened: true })
    if (result.kind === 'half') return reply.redirect(withParameters(target, { message: HALF }, 'fragment'), 303)
    if (result.kind === 'code') return reply.redirect(withParameters(target, { code: result.code }, 'query'), 303)
    return reply.redirect(withParameters(target, grantFragment(result.grant, type), 'fragment'), 303)
  } catch (error) {
    const failure = failureOf(toError(error))
    if (failure.status >= 500) throw error
    const told = {
      error: failure.status === 403 ? 'access_denied' : 'invalid_request',
      error_code: failure.code,
      error_description: failure.code === 'otp_expired' ? 'Email link is invalid or has expired' : failure.message,
    }
    // Where the page looks depends on the kind of its flow: the query for a code, the fragment for a session.
    const pkce = hash.startsWith('pkce_')
    const once = pkce ? withParameters(target, told, 'query') : target
    return reply.redirect(withParameters(once, told, 'fragment'), 303)
  }
}
