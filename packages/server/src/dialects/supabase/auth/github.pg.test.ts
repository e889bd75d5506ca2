/** Logging in with GitHub, against a stand-in that speaks its OAuth and its API. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthFixture, signUp, startAuth } from '../../../../test/auth.ts'

const SECRET = 'github-secret'

/** What GitHub knows of whoever logs in next. */
const person = {
  user: {
    id: 583231,
    login: 'octocat',
    name: 'The Octocat',
    avatar_url: 'https://avatars.example/1',
    email: null,
  } as object,
  emails: [] as readonly object[],
}
const challenges = new Map<string, string>()

const github = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://github')
  const answer = (status: number, body: object, headers: Record<string, string> = {}) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  if (url.pathname === '/login/oauth/authorize') {
    const code = `code${challenges.size}`
    challenges.set(code, url.searchParams.get('code_challenge') ?? '')
    const back = new URL(url.searchParams.get('redirect_uri') ?? '')
    back.searchParams.set('code', code)
    back.searchParams.set('state', url.searchParams.get('state') ?? '')
    return answer(302, {}, { location: back.href })
  }
  if (url.pathname === '/login/oauth/access_token')
    return void text(request).then((body) => {
      const form = new URLSearchParams(body)
      const challenge = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url')
      const right = form.get('client_secret') === SECRET && challenges.get(form.get('code') ?? '') === challenge
      challenges.delete(form.get('code') ?? '')
      // GitHub tells errors with status 200.
      answer(
        200,
        right
          ? { access_token: 'gho_token', scope: 'user:email', token_type: 'bearer' }
          : { error: 'bad_verification_code' },
      )
    })
  const known = request.headers.authorization === 'Bearer gho_token' && request.headers['user-agent'] !== undefined
  if (!known) return answer(401, { message: 'Bad credentials' })
  if (url.pathname === '/api/v3/user') return answer(200, person.user)
  if (url.pathname === '/api/v3/user/emails') return answer(200, person.emails)
  return answer(404, {})
})

let fixture: AuthFixture
beforeAll(async () => {
  await new Promise<void>((resolve) => github.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(github.address() as AddressInfo).port}`
  const provider = { enabled: true, clientId: 'tea', secret: SECRET, redirectUri: '', url, skipNonceCheck: false }
  fixture = await startAuth({
    settings: (each) => ({ ...each, enableManualLinking: true, external: { github: provider } }),
  })
})
afterAll(async () => {
  await fixture?.close()
  await new Promise<void>((resolve) => github.close(() => resolve()))
})

/** Leaves for GitHub and comes back; answers what the page is told. */
const travel = async (path = '/authorize?provider=github&scopes=read:org', token?: string) => {
  const left = await fixture.ask('GET', path, token === undefined ? {} : { token })
  const there = left.headers.get('location') ?? left.body.url
  const at = await fetch(there, { redirect: 'manual' })
  const back = await fixture.ask('GET', at.headers.get('location') ?? '')
  return { there: new URL(there), told: new URLSearchParams(new URL(back.headers.get('location') ?? '').hash.slice(1)) }
}
const me = async (told: URLSearchParams) =>
  (await fixture.ask('GET', '/user', { token: told.get('access_token') ?? '' })).body

describe('a login with GitHub', () => {
  it('makes a user of whom GitHub names, and knows them again', async () => {
    person.emails = [
      { email: 'other@example.com', primary: false, verified: true },
      { email: 'octo@example.com', primary: true, verified: true },
    ]
    const { there, told } = await travel()
    expect(there.pathname).toBe('/login/oauth/authorize')
    expect(there.searchParams.get('scope')).toBe('user:email read:org')
    expect(told.get('provider_token')).toBe('gho_token')
    const user = await me(told)
    expect(user).toMatchObject({
      email: 'octo@example.com',
      app_metadata: { provider: 'github', providers: ['github'] },
      user_metadata: {
        user_name: 'octocat',
        full_name: 'The Octocat',
        preferred_username: 'octocat',
        provider_id: '583231',
      },
      identities: [{ provider: 'github', id: '583231' }],
    })
    person.user = { ...person.user, login: 'renamed' }
    expect((await me((await travel()).told)).id).toBe(user.id)
  })

  it('believes no address that GitHub has not verified', async () => {
    const victim = await signUp(fixture, 'victim@example.com')
    person.user = { id: 7, login: 'liar', name: null, email: 'victim@example.com' }
    person.emails = [{ email: 'victim@example.com', primary: true, verified: false }]
    const liar = await me((await travel()).told)
    expect(liar.id).not.toBe(victim.user.id)
    expect(liar.email).toBe('')
    person.user = { id: 8, login: 'owner', name: null }
    person.emails = [{ email: 'victim@example.com', primary: true, verified: true }]
    expect((await me((await travel()).told)).id).toBe(victim.user.id)
  })

  it('can be added to an account', async () => {
    const { access_token: token, user } = await signUp(fixture, 'linker@example.com')
    person.user = { id: 9, login: 'linked', name: null }
    person.emails = []
    await travel('/user/identities/authorize?provider=github&skip_http_redirect=true', token)
    const { body } = await fixture.ask('GET', '/user', { token })
    expect(body).toMatchObject({ id: user.id, app_metadata: { providers: ['email', 'github'] } })
  })

  it('fails in words when GitHub refuses the code or names nobody', async () => {
    const left = await fixture.ask('GET', '/authorize?provider=github')
    const state = new URL(left.headers.get('location') ?? '').searchParams.get('state')
    const back = await fixture.ask('GET', `/callback?code=made-up&state=${state}`)
    expect(new URL(back.headers.get('location') ?? '').hash).toContain('bad_oauth_callback')
    for (const user of [{}, { id: '1' }, { id: -1 }, []] as const) {
      person.user = user
      expect((await travel()).told.get('error_code')).toBe('bad_oauth_callback')
    }
    const idToken = await fixture.ask('POST', '/token?grant_type=id_token', {
      body: { provider: 'github', id_token: 'x' },
    })
    expect(idToken.status).toBe(400)
  })
})
