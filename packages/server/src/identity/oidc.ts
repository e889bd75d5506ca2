/** OpenID Connect providers: where they are, whom they sent, and whether an id_token is theirs. */
import {
  createRemoteJWKSet,
  type JWTPayload,
  type JWTVerifyGetKey,
  errors as joseErrors,
  customFetch as joseFetch,
  jwtVerify,
} from 'jose'
import { LRUCache } from 'lru-cache'
import * as oauth from 'oauth4webapi'
import { isObject, type JsonObject } from '../kernel/json.ts'
import type { AuthContext } from './context.ts'
import { refuse } from './errors.ts'
import { createGuardedFetch, type GuardedFetch } from './guarded-fetch.ts'
import type { ExternalProvider } from './settings.ts'

/** Whom a provider sent. */
export interface ExternalPerson {
  readonly provider: string
  readonly id: string
  readonly email: string | null
  /** Whether the provider vouches for the address. */
  readonly emailVerified: boolean
  readonly claims: JsonObject
}

/** Issuers of the providers that have one of their own. */
const ISSUERS: Readonly<Record<string, string>> = {
  apple: 'https://appleid.apple.com',
  google: 'https://accounts.google.com',
  gitlab: 'https://gitlab.com',
  linkedin_oidc: 'https://www.linkedin.com/oauth',
  slack_oidc: 'https://slack.com',
  twitch: 'https://id.twitch.tv/oauth2',
  kakao: 'https://kauth.kakao.com',
}

export interface OidcProvider {
  readonly name: string
  readonly settings: ExternalProvider
  readonly server: oauth.AuthorizationServer
  readonly client: oauth.Client
  readonly fetch: GuardedFetch
  /** The provider's keys, fetched when they are needed and kept for a while. */
  readonly keys: JWTVerifyGetKey
}

export const clientIdsOf = (settings: ExternalProvider): readonly string[] =>
  settings.clientId
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')

/** The settings of a provider that people may use. */
export const enabledProvider = ({ settings }: AuthContext, name: string | undefined): ExternalProvider => {
  if (name === undefined || name === '') throw refuse('validation_failed', 'Unsupported provider: provider is required')
  const found = Object.hasOwn(settings.external, name) ? settings.external[name] : undefined
  if (found === undefined) {
    throw refuse('validation_failed', `Unsupported provider: Provider ${name.slice(0, 60)} could not be found`)
  }
  if (!found.enabled) throw refuse('validation_failed', 'Unsupported provider: provider is not enabled')
  return found
}

/** Discovery documents, for as long as keys usually live. */
export class OidcDirectory {
  readonly #context: AuthContext
  readonly #known = new LRUCache<string, Promise<OidcProvider>>({ max: 100, ttl: 3_600_000 })

  constructor(context: AuthContext) {
    this.#context = context
  }

  /** Throws `oauth_provider_not_supported` when the provider cannot be found out about. */
  provider(name: string): Promise<OidcProvider> {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const found = this.#discover(name).catch((cause: unknown) => {
      this.#known.delete(name)
      throw refuse('oauth_provider_not_supported', `The provider ${name} cannot be reached`, { cause })
    })
    this.#known.set(name, found)
    return found
  }

  async #discover(name: string): Promise<OidcProvider> {
    const settings = enabledProvider(this.#context, name)
    const issuer = new URL(settings.url === '' ? (ISSUERS[name] ?? '') : settings.url)
    const guarded = createGuardedFetch([issuer.host])
    const options = { algorithm: 'oidc' as const, [oauth.customFetch]: guarded, ...insecure(issuer) }
    const response = await oauth.discoveryRequest(issuer, options)
    const server = await oauth.processDiscoveryResponse(issuer, response)
    const [clientId = ''] = clientIdsOf(settings)
    const keys = createRemoteJWKSet(new URL(server.jwks_uri ?? ''), {
      [joseFetch]: (url: string, init: RequestInit) =>
        guarded(url, { method: 'GET', headers: init.headers as Record<string, string> }),
    })
    return { name, settings, server, keys, fetch: guarded, client: { client_id: clientId } }
  }
}

/** A provider on this machine or in the operator's network may lack TLS; the operator wrote its address down. */
const insecure = (url: URL) => (url.protocol === 'http:' ? { [oauth.allowInsecureRequests]: true } : {})

const requestOptions = (provider: OidcProvider) => ({
  [oauth.customFetch]: provider.fetch,
  ...insecure(new URL(provider.server.issuer)),
})

export interface Callback {
  readonly parameters: URLSearchParams
  readonly state: string
  readonly redirectUri: string
  readonly verifier: string
  readonly nonce: string
}

export interface ProviderLogin {
  readonly person: ExternalPerson
  readonly accessToken: string
  readonly refreshToken: string | null
}

/** Exchanges the code of a provider's redirect, and reads who it was. */
export const finishCodeFlow = async (provider: OidcProvider, callback: Callback): Promise<ProviderLogin> => {
  const { server, client, settings } = provider
  const options = requestOptions(provider)
  const parameters = oauth.validateAuthResponse(server, client, callback.parameters, callback.state)
  const authentication = settings.secret === '' ? oauth.None() : oauth.ClientSecretPost(settings.secret)
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    authentication,
    parameters,
    callback.redirectUri,
    callback.verifier,
    options,
  )
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: callback.nonce,
    requireIdToken: true,
  })
  // The token came over the server's own connection; its signature is checked all the same.
  const claims = await verifyWithKeys(provider, tokens.id_token ?? '')
  const more = await userInfo(provider, { sub: String(claims.sub), accessToken: tokens.access_token })
  return {
    person: personOf(provider.name, { ...more, ...claims }),
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token ?? null,
  }
}

const userInfo = async (
  provider: OidcProvider,
  { sub, accessToken }: { readonly sub: string; readonly accessToken: string },
): Promise<JsonObject> => {
  if (provider.server.userinfo_endpoint === undefined) return {}
  const response = await oauth.userInfoRequest(provider.server, provider.client, accessToken, requestOptions(provider))
  // Claims are JSON by definition.
  return (await oauth.processUserInfoResponse(provider.server, provider.client, sub, response)) as JsonObject
}

/** Checks signature, issuer, audience and times of an id_token. Throws `validation_failed` or `unexpected_audience`. */
export const verifyWithKeys = async (provider: OidcProvider, idToken: string): Promise<JsonObject> => {
  const { server, settings, keys } = provider
  try {
    const { payload } = await jwtVerify(idToken, keys, {
      issuer: server.issuer,
      audience: [...clientIdsOf(settings)],
      algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
      requiredClaims: ['sub', 'aud', 'exp', 'iat'],
      clockTolerance: 30,
    })
    return claimsOf(payload)
  } catch (cause) {
    if (cause instanceof joseErrors.JWTClaimValidationFailed && cause.claim === 'aud') {
      throw refuse('unexpected_audience', undefined, { cause })
    }
    throw refuse('validation_failed', 'Bad ID token', { cause })
  }
}

const claimsOf = (payload: JWTPayload): JsonObject => (isObject(payload) ? payload : {})

/** What the claims say about a person, in the words that identities keep. */
export const personOf = (provider: string, claims: JsonObject): ExternalPerson => {
  const email = typeof claims.email === 'string' && claims.email !== '' ? claims.email.toLowerCase() : null
  const emailVerified = email !== null && (claims.email_verified === true || claims.email_verified === 'true')
  const name = claims.name ?? claims.nickname ?? claims.preferred_username
  const data: JsonObject = {
    sub: claims.sub,
    provider_id: claims.sub,
    iss: claims.iss,
    email_verified: emailVerified,
    phone_verified: false,
    ...(email === null ? {} : { email }),
    ...(name === undefined ? {} : { name, full_name: name }),
    ...(claims.picture === undefined ? {} : { picture: claims.picture, avatar_url: claims.picture }),
    ...(claims.preferred_username === undefined ? {} : { preferred_username: claims.preferred_username }),
  }
  return { provider, id: String(claims.sub), email, emailVerified, claims: data }
}
