/**
 * Logins of CloudBase's SDK: OAuth 2 in its own paths, which lie beside GoTrue's. What they give out are the same tokens and sessions. Its
 * verification codes, captchas and providers are not offered; people log in by WeChat, anonymously, or with a password.
 */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { bearerOf } from '../../../http/caller.ts'
import { statusOf } from '../../../http/server.ts'
import { parseAddress } from '../../../identity/accounts.ts'
import type { Auth } from '../../../identity/auth.ts'
import type { Identity } from '../../../identity/identity.ts'
import { inet } from '../../../identity/network.ts'
import { principalOf } from '../../../identity/principal.ts'
import type { Device, Grant } from '../../../identity/session.ts'
import { signInWithPassword } from '../../../identity/sign-in.ts'
import { signInAnonymously } from '../../../identity/sign-up.ts'
import type { User } from '../../../identity/user.ts'
import { AppError, toError } from '../../../kernel/errors.ts'
import { isObject, type JsonObject, parseJson } from '../../../kernel/json.ts'

export interface CloudAuthOptions {
  readonly auth: Auth
  readonly identityFor: (request: FastifyRequest) => Identity
}

/** Where a request for `/auth/v1/token` goes that is CloudBase's: GoTrue's names its grant in the address. */
export const TOKEN_PATH = '/cloud/auth/token'

const GOTRUE_TOKEN = /^\/auth\/v1\/token(?:\?(?!.*\bgrant_type=)|$)/

/** The address that a request is meant for. */
export const meantPath = (url: string): string =>
  GOTRUE_TOKEN.test(url) && url.includes('client_id=') ? url.replace('/auth/v1/token', TOKEN_PATH) : url

/** Mount without a prefix. */
export const cloudAuthSurface =
  (options: CloudAuthOptions): FastifyPluginAsync =>
  async (app: FastifyInstance) => {
    const { auth } = options
    const { context, sessions } = auth
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    app.setErrorHandler(sendAuthError)

    app.post('/auth/v1/signin/anonymously', async (request) => {
      const device = deviceOf(request)
      await context.limits.byAddress('signInSignUps', device.ip)
      await context.captcha(captchaOf(request), device.ip)
      return tokensOf(await signInAnonymously(context, sessions, { data: {}, device }))
    })
    app.post('/auth/v1/signin', async (request) => {
      const device = deviceOf(request)
      await context.limits.byAddress('signInSignUps', device.ip)
      await context.limits.byApp('appLogins')
      await context.captcha(captchaOf(request), device.ip)
      const { username, password } = bodyOf(request)
      const name = typeof username === 'string' ? username : ''
      const address = name.includes('@') ? parseAddress(name, undefined, WHO) : parseAddress(undefined, name, WHO)
      const secret = typeof password === 'string' ? password : ''
      return tokensOf(await signInWithPassword(context, sessions, { address, password: secret, device }))
    })
    app.post(TOKEN_PATH, async (request) => {
      const device = deviceOf(request)
      await context.limits.byAddress('tokenRefresh', device.ip)
      const { grant_type: type, refresh_token: token } = bodyOf(request)
      if (type !== 'refresh_token' || typeof token !== 'string') {
        throw new AppError('bad_request', 'only the grant type refresh_token is supported', {
          reason: 'validation_failed',
        })
      }
      return tokensOf(await sessions.refresh(token, device))
    })
    app.post('/auth/v1/revoke', async (request) => {
      const { token } = bodyOf(request)
      const { user, session } = await personOf(options, request, typeof token === 'string' ? token : undefined)
      await sessions.logout({ userId: user.id, sessionId: session?.id ?? null }, 'local')
      return {}
    })
    app.get('/auth/v1/user/me', async (request) => profileOf((await personOf(options, request)).user))
  }

const WHO = 'username must be an e-mail address or a phone number'
const LONGEST_USER_AGENT = 300

const deviceOf = (request: FastifyRequest): Device => ({
  ip: inet(request.ip),
  userAgent: request.headers['user-agent']?.slice(0, LONGEST_USER_AGENT) ?? null,
})

const bodyOf = (request: FastifyRequest): JsonObject => {
  const body = parseJson(Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '')
  return isObject(body) ? body : {}
}

/** What the widget of the operator's captcha gave the client, where one is asked for. */
const captchaOf = (request: FastifyRequest): string | undefined => {
  const { captcha_token: token } = bodyOf(request)
  return typeof token === 'string' ? token : undefined
}

const personOf = async ({ auth, identityFor }: CloudAuthOptions, request: FastifyRequest, token?: string) => {
  const given = token ?? bearerOf(request.headers.authorization)
  if (given === undefined) throw new AppError('unauthorized', 'no credentials', { reason: 'no_authorization' })
  return principalOf(auth.context, await identityFor(request).authenticateToken(given))
}

const tokensOf = ({ accessToken, refreshToken, expiresIn, user }: Grant) => ({
  token_type: 'Bearer',
  access_token: accessToken,
  refresh_token: refreshToken,
  expires_in: expiresIn,
  scope: user.isAnonymous ? 'anonymous' : '',
  sub: user.id,
  groups: [],
})

const profileOf = ({ id, email, phone, isAnonymous, createdAt, userMetadata }: User) => {
  const { name, nickname, avatar_url: picture, gender } = userMetadata
  return {
    sub: id,
    name: name ?? nickname ?? (isAnonymous ? 'anonymous' : ''),
    ...(typeof picture === 'string' ? { picture } : {}),
    ...(typeof gender === 'string' ? { gender } : {}),
    ...(email === null ? {} : { email }),
    ...(phone === null ? {} : { phone_number: phone }),
    email_verified: email !== null,
    created_at: createdAt,
    status: 'ACTIVE',
    providers: [],
    groups: [],
  }
}

/** The words of RFC 6749, which the SDK looks for. */
const ERRORS: Partial<Readonly<Record<AppError['code'], string>>> = {
  bad_request: 'invalid_argument',
  unauthorized: 'unauthenticated',
  forbidden: 'permission_denied',
  not_found: 'not_found',
  rate_limited: 'resource_exhausted',
  unavailable: 'unavailable',
}

/** Reasons for which a login is over or was never right. */
const GRANTS = new Set([
  'refresh_token_not_found',
  'refresh_token_already_used',
  'invalid_credentials',
  'session_not_found',
])

const sendAuthError = (thrown: unknown, request: FastifyRequest, reply: FastifyReply): unknown => {
  const error = toError(thrown)
  const known = error instanceof AppError
  const status = statusOf(error)
  if (!known && status >= 500) request.log.error({ error }, 'request failed')
  if (known && error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
  const reason = known ? (error.reason ?? '') : ''
  const word = GRANTS.has(reason) ? 'invalid_grant' : known ? (ERRORS[error.code] ?? 'internal') : 'internal'
  const description = known ? error.message : `Something went wrong here. Id: ${request.id}`
  const code = status >= 400 ? status : 500
  return reply
    .code(code)
    .send({ error: word, error_code: code, error_description: description, request_id: request.id })
}
