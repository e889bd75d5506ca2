/** Logging in at a provider: leaving for its page, and coming back. */
import * as oauth from 'oauth4webapi'
import { toError } from '../kernel/errors.ts'
import { loadUser } from './accounts.ts'
import type { Auth } from './auth.ts'
import { type AuthContext, nowOf } from './context.ts'
import { refuse } from './errors.ts'
import { externalUser } from './external.ts'
import { type Flow, findFlow, finishFlow, insertFlow, takeFlow } from './flow.sql.ts'
import type { Challenge } from './flow.ts'
import { finishGithubLogin, githubLoginUrl, isGithub } from './github.ts'
import { type ExternalPerson, enabledProvider, finishCodeFlow, type ProviderLogin, personOf } from './oidc.ts'
import { isUuid } from './principal.ts'
import type { Device, Grant } from './session.ts'
import { isBanned, mergeMetadata, type User } from './user.ts'
import { updateUser } from './users.sql.ts'
import { ensureUser } from './wechat-login.ts'
import { qrLoginUrl, qrPerson } from './wechat-qr.ts'

export interface OAuthBegin {
  readonly provider: string | undefined
  readonly scopes: string | undefined
  readonly redirectTo: string | undefined
  readonly challenge: Challenge | null
  readonly linkingUserId: string | null
  /** What the client wants the provider to be asked besides. */
  readonly extra: Readonly<Record<string, string | undefined>>
}

/** How long somebody may take at the provider. */
const STATE_LIFE_MS = 600_000
/** Parameters that a client may hand on to a provider's page. */
const HANDED_ON = ['prompt', 'login_hint', 'hd', 'access_type', 'domain_hint', 'ui_locales', 'display']

const redirectUriOf = (context: AuthContext, provider: string): string =>
  enabledProvider(context, provider).redirectUri || `${context.externalUrl()}/auth/v1/callback`

/** The address of the provider's page, after noting who leaves for it and why. */
export const beginOAuth = async (auth: Auth, begin: OAuthBegin): Promise<string> => {
  const { context } = auth
  const name = begin.provider ?? ''
  const settings = enabledProvider(context, begin.provider)
  const state = context.ids.uuid()
  const [verifier, nonce] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomNonce()]
  const redirectUri = redirectUriOf(context, name)
  // A provider that cannot be reached is found out before anything is noted.
  const secrets = { state, verifier, nonce, redirectUri }
  const url =
    name === 'wechat_qr'
      ? qrLoginUrl(settings, secrets)
      : isGithub(name)
        ? await githubLoginUrl(settings, { ...secrets, scopes: begin.scopes })
        : await authorizationUrl(auth, begin, secrets)
  await context.db.run(
    insertFlow(
      {
        id: state,
        authCode: context.ids.uuid(),
        challengeMethod: begin.challenge?.method ?? null,
        challenge: begin.challenge?.challenge ?? null,
        provider: name,
        method: 'oauth',
        redirectTo: context.redirects.resolve(begin.redirectTo),
        linkingUserId: begin.linkingUserId,
        nonce,
        providerVerifier: verifier,
      },
      nowOf(context),
    ),
  )
  return url
}

interface Secrets {
  readonly state: string
  readonly verifier: string
  readonly nonce: string
  readonly redirectUri: string
}

const authorizationUrl = async (auth: Auth, begin: OAuthBegin, secrets: Secrets): Promise<string> => {
  const { server, client } = await auth.directory.provider(begin.provider ?? '')
  if (server.authorization_endpoint === undefined) throw refuse('oauth_provider_not_supported')
  const url = new URL(server.authorization_endpoint)
  const handedOn = HANDED_ON.flatMap((name) =>
    begin.extra[name] === undefined ? [] : [[name, begin.extra[name] ?? '']],
  )
  const query = {
    ...Object.fromEntries(handedOn),
    client_id: client.client_id,
    redirect_uri: secrets.redirectUri,
    response_type: 'code',
    scope: ['openid', 'email', 'profile', ...(begin.scopes ?? '').split(/[\s,]+/).filter((each) => each !== '')].join(
      ' ',
    ),
    state: secrets.state,
    nonce: secrets.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(secrets.verifier),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value))
  return url.href
}

export type OAuthEnd =
  | { readonly kind: 'session'; readonly target: string; readonly grant: Grant }
  | { readonly kind: 'code'; readonly target: string; readonly code: string }
  | { readonly kind: 'error'; readonly target: string; readonly error: Error; readonly pkce: boolean }

/** What a provider's redirect comes to. Throws `bad_oauth_state` when nobody left for a provider with this state. */
export const finishOAuth = async (auth: Auth, parameters: URLSearchParams, device: Device): Promise<OAuthEnd> => {
  const { context } = auth
  const state = parameters.get('state')
  if (!isUuid(state)) throw refuse('bad_oauth_state', 'OAuth state is missing or malformed')
  const flow = await context.db.maybeOne<Flow>(findFlow(state))
  if (flow === null || flow.redirectTo === null || (await context.db.run(takeFlow(state))) === 0) {
    throw refuse('bad_oauth_state')
  }
  const target = flow.redirectTo
  try {
    if (Date.parse(flow.createdAt) + STATE_LIFE_MS < context.clock.now()) throw refuse('flow_state_expired')
    const { user, login } = await personAt(auth, flow, parameters, device)
    if (flow.challenge !== null) {
      const code = context.ids.uuid()
      const end = { userId: user.id, authCode: code, ...login }
      await context.db.run(finishFlow(flow.id, end, nowOf(context)))
      return { kind: 'code', target, code }
    }
    const grant = await auth.sessions.start(context.db, user.id, { method: 'oauth', device })
    const provider = { token: login.accessToken, refreshToken: login.refreshToken }
    return { kind: 'session', target, grant: { ...grant, provider } }
  } catch (error) {
    return { kind: 'error', target, error: toError(error), pkce: flow.challenge !== null }
  }
}

interface Arrived {
  readonly user: User
  readonly login: { readonly accessToken: string; readonly refreshToken: string | null }
}

const personAt = async (auth: Auth, flow: Flow, parameters: URLSearchParams, device: Device): Promise<Arrived> => {
  const refused = parameters.get('error')
  if (refused !== null) {
    throw refuse('bad_oauth_callback', parameters.get('error_description')?.slice(0, 300) ?? refused.slice(0, 100))
  }
  const code = parameters.get('code')
  if (code === null || code === '') throw refuse('bad_oauth_callback', 'OAuth code is missing')
  const { context, sessions } = auth
  if (flow.provider === 'wechat_qr') return qrArrival(auth, flow, code, device)
  const { person, ...login } = await exchange(auth, flow, parameters).catch((cause: unknown) => {
    throw refuse('bad_oauth_callback', 'Unable to exchange external code', { cause })
  })
  return { user: await externalUser(context, sessions, { person, device, linkingUserId: flow.linkingUserId }), login }
}

const exchange = async (auth: Auth, flow: Flow, parameters: URLSearchParams): Promise<ProviderLogin> => {
  const { context } = auth
  const redirectUri = redirectUriOf(context, flow.provider)
  const verifier = flow.providerVerifier ?? ''
  if (isGithub(flow.provider)) {
    const code = parameters.get('code') ?? ''
    return finishGithubLogin(enabledProvider(context, flow.provider), { code, verifier, redirectUri })
  }
  const provider = await auth.directory.provider(flow.provider)
  return finishCodeFlow(provider, { parameters, state: flow.id, redirectUri, verifier, nonce: flow.nonce ?? '' })
}

/** Known by its unionid, the person of a QR code may be the one of a mini-program. */
const qrArrival = async (auth: Auth, flow: Flow, code: string, device: Device): Promise<Arrived> => {
  const { context, sessions } = auth
  const found = await qrPerson(enabledProvider(context, 'wechat_qr'), code, context.clock)
  const login = { accessToken: found.accessToken, refreshToken: null }
  const { appid, openid } = found.person
  if (flow.linkingUserId !== null) {
    const claims = { sub: openid, ...found.profile }
    const person: ExternalPerson = { ...personOf('wechat_qr', claims), id: `${appid}:${openid}`, claims }
    return { user: await externalUser(context, sessions, { person, device, linkingUserId: flow.linkingUserId }), login }
  }
  const user = await ensureUser(context, found.person, device)
  if (isBanned(user, context.clock.now())) throw refuse('user_banned')
  const userMetadata = mergeMetadata(user.userMetadata, found.profile)
  await context.db.run(updateUser(user.id, { userMetadata }, nowOf(context)))
  return { user: await loadUser(context.db, user.id), login }
}
