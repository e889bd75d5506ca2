/** An OpenID Connect provider on loopback, whose people log in without being asked, for tests. */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'

export interface OidcServer {
  readonly url: string
  readonly clientId: string
  readonly secret: string
  /** Who the next login is. */
  person: JWTPayload
  /** Changes of the discovery document. */
  document: Record<string, unknown>
  /** Paths that were asked for. */
  readonly asked: string[]
  /** Signs an id_token of this provider. */
  idToken(
    claims: JWTPayload,
    options?: { readonly audience?: string; readonly issuer?: string; readonly expires?: string },
  ): Promise<string>
  close(): Promise<void>
}

const bodyOf = async (request: IncomingMessage): Promise<URLSearchParams> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return new URLSearchParams(Buffer.concat(chunks).toString())
}

export const startOidc = async (): Promise<OidcServer> => {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }
  const codes = new Map<string, { readonly nonce: string; readonly challenge: string }>()
  const provider = {
    person: { sub: 'p1', email: 'p1@example.com', email_verified: true } as JWTPayload,
    document: {},
    asked: [] as string[],
  }
  let url = ''
  const idToken: OidcServer['idToken'] = (claims, options = {}) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .setIssuer(options.issuer ?? url)
      .setAudience(options.audience ?? 'tea-client')
      .setIssuedAt()
      .setExpirationTime(options.expires ?? '5m')
      .sign(privateKey)

  const answer = async (request: IncomingMessage): Promise<{ status: number; json?: object; location?: string }> => {
    const at = new URL(request.url ?? '/', url)
    provider.asked.push(at.pathname)
    switch (at.pathname) {
      case '/.well-known/openid-configuration':
        return {
          status: 200,
          json: {
            issuer: url,
            authorization_endpoint: `${url}/authorize`,
            token_endpoint: `${url}/token`,
            userinfo_endpoint: `${url}/userinfo`,
            jwks_uri: `${url}/jwks`,
            response_types_supported: ['code'],
            ...provider.document,
          },
        }
      case '/jwks':
        return { status: 200, json: { keys: [jwk] } }
      case '/authorize': {
        const code = `code-${codes.size + 1}`
        codes.set(code, {
          nonce: at.searchParams.get('nonce') ?? '',
          challenge: at.searchParams.get('code_challenge') ?? '',
        })
        const back = new URL(at.searchParams.get('redirect_uri') ?? '')
        back.searchParams.set('code', code)
        back.searchParams.set('state', at.searchParams.get('state') ?? '')
        return { status: 302, location: back.href }
      }
      case '/token': {
        const form = await bodyOf(request)
        const flow = codes.get(form.get('code') ?? '')
        codes.delete(form.get('code') ?? '')
        const challenge = createHash('sha256')
          .update(form.get('code_verifier') ?? '')
          .digest('base64url')
        if (flow === undefined || flow.challenge !== challenge || form.get('client_secret') !== 'tea-secret') {
          return { status: 400, json: { error: 'invalid_grant' } }
        }
        const id_token = await idToken({ ...provider.person, nonce: flow.nonce })
        return {
          status: 200,
          json: {
            access_token: 'provider-token',
            token_type: 'bearer',
            expires_in: 60,
            refresh_token: 'provider-refresh',
            id_token,
          },
        }
      }
      case '/userinfo':
        return { status: 200, json: { name: 'Person One', picture: `${url}/me.png`, ...provider.person } }
      default:
        return { status: 404, json: {} }
    }
  }
  const server = createServer((request, response) => {
    void answer(request).then(({ status, json, location }) => {
      response.writeHead(status, {
        'content-type': 'application/json',
        ...(location === undefined ? {} : { location }),
      })
      response.end(json === undefined ? '' : JSON.stringify(json))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return Object.assign(provider, {
    url,
    clientId: 'tea-client',
    secret: 'tea-secret',
    idToken,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  })
}
