/** Every endpoint of accounts, as the capability matrix lists them, with a request to each that is right, and the places where a hostile text can stand. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface AuthEndpoint {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly body?: object
}

const MATRIX = fileURLToPath(new URL('../../docs/capability-matrix.md', import.meta.url))
const ID = '0b1f4a6e-0000-4000-8000-000000000000'
const EMAIL = 'fed@example.com'

/** Bodies that mean something, by method and route; the others get an empty object. */
const BODIES: Readonly<Record<string, object>> = {
  'POST /signup': { email: EMAIL, password: 'correct horse' },
  'POST /otp': { email: EMAIL, create_user: false },
  'POST /magiclink': { email: EMAIL },
  'POST /recover': { email: EMAIL },
  'POST /resend': { type: 'signup', email: EMAIL },
  'POST /verify': { type: 'signup', token_hash: 'x' },
  'PUT /user': { data: { a: 1 } },
  'POST /factors': { factor_type: 'totp', friendly_name: 'app' },
  'POST /factors/:id/verify': { challenge_id: ID, code: '123456' },
  'POST /factors/recovery-codes/verify': { code: 'aaaa-bbbb' },
  'POST /admin/users': { email: EMAIL, password: 'correct horse' },
  'PUT /admin/users/:id': { user_metadata: { a: 1 } },
  'POST /admin/generate_link': { type: 'magiclink', email: EMAIL },
  'POST /invite': { email: EMAIL },
  'POST /wechat_mini/unlimited_qrcode': { scene: 'a' },
}

const GRANTS: Readonly<Record<string, object>> = {
  password: { email: EMAIL, password: 'a wrong one' },
  refresh_token: { refresh_token: 'x' },
  pkce: { auth_code: ID, code_verifier: 'x'.repeat(43) },
  id_token: { provider: 'keycloak', id_token: 'x.y.z' },
}

const QUERIES: Readonly<Record<string, string>> = {
  'GET /authorize': '?provider=keycloak',
  'GET /callback': `?state=${ID}&code=x`,
  'GET /verify': '?type=signup&token=x',
  'GET /wechat_mini/login': '?code=x',
  'GET /wechat_mini/bind_phone': '?code=x',
  'GET /wechat_mini/bind_account': '?code=x',
  'GET /user/identities/authorize': '?provider=keycloak',
}

/** Below the same address, in the words of CloudBase's clients. */
const OTHERS = /\/auth\/v1\/(signin(\/anonymously)?|revoke|user\/me)$/

const routes = (): readonly string[] =>
  readFileSync(MATRIX, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, methods = '', url = ''] = /^\| ([A-Z ]+) \| `\/auth\/v1(\/[^`]*)` \|/.exec(line) ?? []
      return methods
        .split(' ')
        .filter((each) => each !== '' && !OTHERS.test(`/auth/v1${url}`))
        .map((method) => `${method} ${url}`)
    })

const endpointOf = (route: string): AuthEndpoint => {
  const [method = '', url = ''] = route.split(' ')
  const path = url.replace(/:\w+/g, ID).replace('*', 'x') + (QUERIES[route] ?? '')
  const takesBody = method !== 'GET' && method !== 'DELETE'
  return { method, path: `/auth/v1${path}`, ...(takesBody ? { body: BODIES[route] ?? {} } : {}) }
}

export const AUTH_ENDPOINTS: readonly AuthEndpoint[] = [
  ...routes()
    .filter((route) => route !== 'POST /token')
    .map(endpointOf),
  ...Object.entries(GRANTS).map(([grant, body]) => ({
    method: 'POST',
    path: `/auth/v1/token?grant_type=${grant}`,
    body,
  })),
]

const at = (method: string, path: string, body?: object): AuthEndpoint => ({
  method,
  path: `/auth/v1${path}`,
  ...(body === undefined ? {} : { body }),
})

/** `*` is the place of a hostile segment or value, as it goes over the wire. */
export const AUTH_PLACES: readonly AuthEndpoint[] = [
  at('GET', '/*'),
  at('GET', '/admin/users/*'),
  at('PUT', '/admin/users/*', {}),
  at('DELETE', '/admin/users/*'),
  at('GET', '/admin/users/*/factors'),
  at('DELETE', `/admin/users/${ID}/factors/*`),
  at('POST', '/factors/*/challenge', {}),
  at('POST', '/factors/*/verify', { code: '123456', challenge_id: ID }),
  at('DELETE', '/factors/*'),
  at('DELETE', '/user/identities/*'),
  at('POST', '/token?grant_type=*', {}),
  at('POST', '/logout?scope=*', {}),
  at('GET', '/verify?type=*&token=x'),
  at('GET', '/verify?type=signup&token=*'),
  at('GET', '/verify?type=signup&token_hash=*'),
  at('GET', '/verify?type=signup&token=x&redirect_to=*'),
  at('GET', '/authorize?provider=*'),
  at('GET', '/authorize?provider=keycloak&redirect_to=*'),
  at('GET', '/authorize?provider=keycloak&scopes=*'),
  at('GET', '/authorize?provider=keycloak&code_challenge=*&code_challenge_method=s256'),
  at('GET', '/authorize?provider=keycloak&login_hint=*'),
  at('GET', '/callback?state=*&code=x'),
  at('GET', `/callback?state=${ID}&error=*&error_description=*`),
  at('GET', '/wechat_mini/login?code=*'),
  at('GET', '/wechat_mini/bind_phone?code=*'),
  at('GET', '/admin/users?page=*'),
  at('GET', '/admin/users?per_page=*'),
  at('GET', '/admin/users?filter=*'),
  at('GET', '/settings?apikey=*'),
]

/** JSON bodies in which `"*"` is the place of a hostile value. */
export const AUTH_TEXTS: readonly AuthEndpoint[] = [
  ...['email', 'phone', 'password', 'data', 'code_challenge', 'gotrue_meta_security'].map((field) =>
    at('POST', '/signup', { email: EMAIL, password: 'correct horse', [field]: '*' }),
  ),
  ...['email', 'phone', 'password'].map((field) =>
    at('POST', '/token?grant_type=password', { password: 'x', [field]: '*' }),
  ),
  at('POST', '/token?grant_type=refresh_token', { refresh_token: '*' }),
  ...['auth_code', 'code_verifier'].map((field) =>
    at('POST', '/token?grant_type=pkce', { auth_code: ID, code_verifier: 'x', [field]: '*' }),
  ),
  ...['provider', 'id_token', 'nonce', 'access_token'].map((field) =>
    at('POST', '/token?grant_type=id_token', { provider: 'keycloak', id_token: 'x.y.z', [field]: '*' }),
  ),
  ...['email', 'phone', 'create_user', 'data', 'channel', 'code_challenge'].map((field) =>
    at('POST', '/otp', { ...(field === 'phone' ? {} : { email: EMAIL }), create_user: false, [field]: '*' }),
  ),
  ...['type', 'token', 'token_hash', 'email', 'phone'].map((field) =>
    at('POST', '/verify', { type: 'signup', [field]: '*' }),
  ),
  ...['email', 'code_challenge'].map((field) => at('POST', '/recover', { email: EMAIL, [field]: '*' })),
  ...['type', 'email', 'phone'].map((field) => at('POST', '/resend', { type: 'signup', email: EMAIL, [field]: '*' })),
  ...['email', 'phone', 'data', 'nonce', 'app_metadata', 'current_password'].map((field) =>
    at('PUT', '/user', { [field]: '*' }),
  ),
  ...['factor_type', 'friendly_name', 'issuer', 'phone'].map((field) =>
    at('POST', '/factors', { factor_type: 'totp', [field]: '*' }),
  ),
  ...['challenge_id', 'code'].map((field) => at('POST', `/factors/${ID}/verify`, { [field]: '*' })),
  ...[
    'id',
    'email',
    'phone',
    'password',
    'password_hash',
    'role',
    'ban_duration',
    'app_metadata',
    'user_metadata',
    'email_confirm',
  ].map((field) => at('POST', '/admin/users', { email: EMAIL, [field]: '*' })),
  ...['role', 'ban_duration', 'app_metadata', 'email'].map((field) =>
    at('PUT', `/admin/users/${ID}`, { [field]: '*' }),
  ),
  ...['type', 'email', 'new_email', 'password', 'data', 'redirect_to'].map((field) =>
    at('POST', '/admin/generate_link', { type: 'magiclink', email: EMAIL, [field]: '*' }),
  ),
  ...['scene', 'page', 'width', 'env_version', 'line_color', 'check_path'].map((field) =>
    at('POST', '/wechat_mini/unlimited_qrcode', { scene: 'a', [field]: '*' }),
  ),
]
