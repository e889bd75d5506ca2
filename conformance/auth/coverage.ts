/** COVERAGE.md from what the clients called: method by method and endpoint by endpoint. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Results } from './recorder.ts'

const MATRIX = fileURLToPath(new URL('../../docs/capability-matrix.md', import.meta.url))

/** Features of GoTrue that this server answers for as a GoTrue in which they are switched off. */
const OFF = /_(disabled|not_enabled)$/

/** What only a browser has, before any server is asked. */
const IN_BROWSERS: Readonly<Record<string, string>> = {
  signInWithPasskey: 'in browsers; off',
  registerPasskey: 'in browsers; off',
  'mfa.webauthn.authenticate': 'in browsers; off',
  'mfa.webauthn.challenge': 'in browsers; off',
  'mfa.webauthn.verify': 'in browsers; off',
  'mfa.webauthn.register': 'in browsers; off',
}

const methodCell = (results: Results, method: string): string => {
  const outcome = results.methods[method]
  if (outcome === undefined) return 'no such method'
  if (outcome === 'ok') return '✓'
  if (OFF.test(outcome)) return `off: \`${outcome}\``
  return IN_BROWSERS[method] ?? (outcome === '' ? 'NOT CALLED' : `FAILED: ${outcome}`)
}

interface Route {
  readonly method: string
  readonly url: string
}

/** Every route of accounts that the server has. */
const routes = (): readonly Route[] =>
  readFileSync(MATRIX, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, methods = '', url = ''] = /^\| ([A-Z ]+) \| `\/auth\/v1(\/[^`]*)` \|/.exec(line) ?? []
      return methods
        .split(' ')
        .filter((each) => each !== '')
        .map((method) => ({ method, url }))
    })

/** Switched off, or of CloudBase's clients. */
const isElsewhere = ({ url }: Route): boolean =>
  /sso|passkeys|oauth|custom-providers|^\/(signin(\/anonymously)?|revoke|user\/me)$/.test(url)

const routeCell = ({ requests }: Results, { method, url }: Route): string => {
  const pattern = new RegExp(`^${method} ${url.replace(/:\w+/g, '[^/]+').replace('*', '.+')}$`)
  const found = Object.entries(requests).filter(([name]) => pattern.test(name))
  if (found.some(([, status]) => status < 400)) return '✓'
  return found.length > 0 ? 'FAILED' : ''
}

/** What the mini-program client reaches besides WeChat's own endpoints, in wechat.test.ts. */
const BY_WECHAT = ['POST /signup', 'POST /token', 'GET /user', 'POST /logout']

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')

export const coverage = (all: Readonly<Record<string, Results>>): string => {
  const clients = Object.entries(all)
  const head = clients.map(([name]) => `supabase-js ${name}`)
  const methods = [...new Set(clients.flatMap(([, results]) => Object.keys(results.methods)))].sort()
  const rows = methods.map((method) => [`\`${method}\``, ...clients.map(([, results]) => methodCell(results, method))])
  const endpoints = routes()
    .filter((route) => !isElsewhere(route))
    .map((route) => [
      `\`${route.method} ${route.url}\``,
      ...clients.map(([, results]) => routeCell(results, route)),
      route.url.startsWith('/wechat_mini') || BY_WECHAT.includes(`${route.method} ${route.url}`) ? '✓' : '',
    ])
  return `${[
    ABOUT,
    '## Methods of supabase-js',
    table(['', ...head.map((name, index) => `${name} (Node ${index === 0 ? 20 : 22})`)], rows),
    WECHAT,
    '## Endpoints',
    ENDPOINTS,
    table(['', ...head, 'supabase-wechat-stable-v2'], endpoints),
    DIFFERENCES,
  ].join('\n\n')}\n`
}

const ABOUT = `# What of Supabase's auth is covered

Written by \`clients.test.ts\`, in which the unmodified clients call a started server: supabase-js 2.109.0 in Node 20, supabase-js 2.119.0 in
Node 22. supabase-wechat-stable-v2 2.2.0 is in \`wechat.test.ts\`. A method or a route that is new appears here by itself, and fails the test
until it is called.

✓: was called and did what it should. off: answers as a GoTrue in which the feature is switched off.`

const WECHAT = `## Methods of supabase-wechat-stable-v2

| | |
| --- | --- |
| \`signInWithWechat\` | ✓ first and later logins, used and invented codes |
| \`wechatBindPhone\` \`wechatBindAccount\` | ✓ |
| \`getUnlimitedQRCode\` | ✓ |
| \`signInWithPassword\` \`signUp\` \`signOut\` \`getUser\` \`refreshSession\` | ✓ |`

const ENDPOINTS = `✓: a method of that client reached it. Every route is tried besides over HTTP in \`packages/server/src/dialects/supabase/auth/*.pg.test.ts\`,
with every kind of caller in \`packages/server/src/capability-matrix.pg.test.ts\` and with bad input in \`conformance/bad-inputs/auth.test.ts\`.
\`/sso\`, \`/passkeys\`, \`/oauth\`, \`/user/oauth/grants\`, \`/admin/sso\`, \`/admin/oauth\` and \`/admin/custom-providers\` are there and off.`

const DIFFERENCES = `## Known differences from GoTrue

- \`GET /admin/audit\` is missing: there is no audit log yet.
- A logout, a ban, a change of role or the removal of a user voids access tokens at once on the node that heard of it and within about a
  second on the others; GoTrue's stay good until they expire.
- Refresh tokens are counted, not stored: there is no table \`auth.refresh_tokens\`.
- \`POST /recover\` and \`POST /resend\` answer the same, and after the same pause, whether or not there is an account; the message is sent
  after the answer, so a failing mail server is in the log and not in the answer.
- An address that a provider does not vouch for stays with the identity and does not become the user's.
- Providers are OpenID Connect ones, GitHub and WeChat; the others with an OAuth of their own (Facebook, X …) are not there.
- Hooks are before-user-created and custom-access-token, as SQL functions or over HTTP, and \`send_sms\` over HTTP. A hook over HTTP refuses
  with an \`error\` in its body, whatever the status.
- WeChat's logins are not asked for a CAPTCHA: each needs a code of WeChat's.
- A phone number of eleven digits that begins with 13 to 19 is taken for a mainland number when a message is sent.`
