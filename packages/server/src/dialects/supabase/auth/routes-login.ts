/** Signing up, logging in, staying in, logging out. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { invalid, refuse } from '../../../identity/errors.ts'
import { signInWithIdToken } from '../../../identity/id-token.ts'
import type { Grant } from '../../../identity/session.ts'
import type { LogoutScope } from '../../../identity/sessions.ts'
import { exchangeCode, signInWithPassword } from '../../../identity/sign-in.ts'
import { signInAnonymously, signUp } from '../../../identity/sign-up.ts'
import { addressOf, bodyOf, challengeOf, flag, object, queryOf, requiredText, text } from './body.ts'
import { type AuthServices, deviceOf, redirectOf, requireUser } from './context.ts'
import { renderGrant, renderUser } from './render.ts'

const SCOPES: readonly LogoutScope[] = ['global', 'local', 'others']
const ONE_ADDRESS = 'Only an email address or phone number should be provided on signup.'
const PASSWORD_ADDRESS = 'Only an email address or phone number should be provided on login.'

export const loginRoutes =
  (services: AuthServices) =>
  async (app: FastifyInstance): Promise<void> => {
    const { context, sessions } = services.auth

    app.post('/signup', async (request) => {
      const device = deviceOf(request)
      await context.limits.byAddress('signInSignUps', device.ip)
      const body = bodyOf(request)
      const data = object(body, 'data') ?? {}
      if (
        text(body, 'email') === undefined &&
        text(body, 'phone') === undefined &&
        text(body, 'password') === undefined
      ) {
        return renderGrant(await signInAnonymously(context, sessions, { data, device }))
      }
      const result = await signUp(context, sessions, {
        password: requiredText(body, 'password', 'Signup requires a valid password'),
        address: addressOf(body, ONE_ADDRESS),
        data,
        challenge: challengeOf(body),
        redirectTo: redirectOf(request, body),
        device,
      })
      return result.kind === 'session' ? renderGrant(result.grant) : renderUser(result.user)
    })

    app.post('/token', async (request, reply) => {
      const grant = await grantOf(services, request)
      // RFC 6749 §5.1.
      reply.header('cache-control', 'no-store').header('pragma', 'no-cache')
      return renderGrant(grant)
    })

    app.post('/logout', async (request, reply) => {
      const { user, session } = await requireUser(services, request)
      const scope = queryOf(request).scope ?? 'global'
      const known = SCOPES.find((each) => each === scope)
      if (known === undefined) throw invalid(`Unsupported logout scope ${JSON.stringify(scope.slice(0, 40))}`)
      await sessions.logout({ userId: user.id, sessionId: session?.id ?? null }, known)
      return reply.code(204).send()
    })
  }

const grantOf = async (services: AuthServices, request: FastifyRequest): Promise<Grant> => {
  const { context, sessions } = services.auth
  const device = deviceOf(request)
  const body = bodyOf(request)
  const type = queryOf(request).grant_type
  await context.limits.byAddress(type === 'refresh_token' ? 'tokenRefresh' : 'signInSignUps', device.ip)
  await context.limits.byApp('appLogins')
  switch (type) {
    case 'password':
      return signInWithPassword(context, sessions, {
        address: addressOf(body, PASSWORD_ADDRESS),
        password: text(body, 'password') ?? '',
        device,
      })
    case 'refresh_token':
      return sessions.refresh(requiredText(body, 'refresh_token', 'refresh_token required'), device)
    case 'pkce': {
      const [code, verifier] = [text(body, 'auth_code'), text(body, 'code_verifier')]
      if (code === undefined || verifier === undefined) {
        throw invalid('invalid request: both auth code and code verifier should be non-empty')
      }
      return exchangeCode(context, sessions, { code, verifier, device })
    }
    case 'id_token': {
      const linking = flag(body, 'link_identity') ? await requireUser(services, request) : null
      return signInWithIdToken(services.auth, {
        provider: text(body, 'provider'),
        idToken: requiredText(body, 'id_token', 'id_token required'),
        accessToken: text(body, 'access_token'),
        nonce: text(body, 'nonce'),
        linking,
        device,
      })
    }
    case 'web3':
      throw refuse('provider_disabled', 'Web3 logins are not supported')
    default:
      throw refuse('validation_failed', 'unsupported_grant_type')
  }
}
