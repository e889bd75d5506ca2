/**
 * The unmodified supabase-js through every method of auth that it has: the older line in this Node, the latest one in the Node that it asks
 * for. There, this same file runs once more.
 */
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { generateSync } from 'otplib'
import { createClient as createLatest } from 'supabase-js-latest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import ws from 'ws'
import { codeOf, linkOf } from '../../packages/server/test/auth.ts'
import { coverage } from './coverage.ts'
import { handResultsOver, inLatestNode, latestResults } from './latest-node.ts'
import { Recorder } from './recorder.ts'
import { type AuthServer, startAuthServer } from './server.ts'

let world: AuthServer
const recorder = new Recorder()
beforeAll(async () => {
  world = await startAuthServer()
}, 120_000)
afterAll(async () => {
  if (inLatestNode) await handResultsOver(recorder.results())
  await world?.stop()
})

const LINES: Readonly<Record<string, typeof createClient>> = inLatestNode
  ? // It has the same shape where these tests look; its own types name another class.
    { '2.119.0': createLatest as unknown as typeof createClient }
  : { '2.109.0': createClient }

/** What Node 20 lacks. */
const TRANSPORT = typeof globalThis.WebSocket === 'function' ? {} : { realtime: { transport: ws as never } }

const PASSWORD = 'correct horse'

for (const [line, create] of Object.entries(LINES)) {
  const tag = line.replace(/\./g, '')
  const address = (name: string) => `${name}-${tag}@example.com`

  const open = (flowType: 'implicit' | 'pkce' = 'implicit', key = world.server.report.anonKey): SupabaseClient => {
    const kept = new Map<string, string>()
    const storage = {
      getItem: (name: string) => kept.get(name) ?? null,
      setItem: (name: string, value: string) => void kept.set(name, value),
      removeItem: (name: string) => void kept.delete(name),
    }
    const client = create(world.server.report.url, key, {
      global: { fetch: recorder.fetch },
      auth: {
        flowType,
        storage,
        persistSession: true,
        autoRefreshToken: false,
        detectSessionInUrl: false,
        experimental: { passkey: true, recoveryCodes: true } as object,
      },
      ...TRANSPORT,
    })
    return recorder.client(client)
  }
  const admin = () => open('implicit', world.server.report.secretKey).auth.admin

  /** Somebody with a confirmed address, made by the operator. */
  const member = async (name: string) => {
    const { data, error } = await admin().createUser({ email: address(name), password: PASSWORD, email_confirm: true })
    if (error !== null) throw error
    const client = open()
    const login = await client.auth.signInWithPassword({ email: address(name), password: PASSWORD })
    if (login.error !== null) throw login.error
    return { client, user: data.user, session: login.data.session }
  }

  describe(`supabase-js ${line}`, () => {
    it('signUp, verifyOtp, signInWithPassword, getUser, getSession, signOut', async () => {
      const { auth } = open()
      const events: string[] = []
      const { data: listening } = auth.onAuthStateChange((event) => void events.push(event))
      const made = await auth.signUp({ email: address('new'), password: PASSWORD, options: { data: { name: '茶' } } })
      expect(made.error).toBeNull()
      expect(made.data.session).toBeNull()
      expect(made.data.user).toMatchObject({ email: address('new'), user_metadata: { name: '茶' } })
      const early = await auth.signInWithPassword({ email: address('new'), password: PASSWORD })
      expect(early.error?.code).toBe('email_not_confirmed')
      const token = codeOf(await world.mailbox.latest(address('new')))
      const verified = await auth.verifyOtp({ email: address('new'), token, type: 'email' })
      expect(verified.error).toBeNull()
      expect(verified.data.session?.expires_in).toBe(3600)
      expect((await auth.getUser()).data.user?.email).toBe(address('new'))
      expect((await auth.getSession()).data.session?.access_token).toBe(verified.data.session?.access_token)
      expect((await auth.signOut()).error).toBeNull()
      expect((await auth.getSession()).data.session).toBeNull()
      const wrong = await auth.signInWithPassword({ email: address('new'), password: 'another horse' })
      expect(wrong.error).toMatchObject({ status: 400, code: 'invalid_credentials' })
      expect((await auth.signInWithPassword({ email: address('new'), password: PASSWORD })).error).toBeNull()
      expect(events).toEqual(expect.arrayContaining(['SIGNED_IN', 'SIGNED_OUT']))
      listening.subscription.unsubscribe()
    })

    it('signUp with a weak password, and twice with one address', async () => {
      const { auth } = open()
      const weak = await auth.signUp({ email: address('weak'), password: 'abc' })
      expect(weak.error).toMatchObject({ name: 'AuthWeakPasswordError', reasons: ['length'] })
      await member('twice')
      const again = await auth.signUp({ email: address('twice'), password: PASSWORD })
      expect(again.error).toBeNull()
      expect(again.data.user?.identities).toEqual([])
    })

    it('signInWithOtp by e-mail and by phone', async () => {
      const { auth } = open()
      expect((await auth.signInWithOtp({ email: address('otp') })).error).toBeNull()
      const hash = linkOf(await world.mailbox.latest(address('otp'))).searchParams.get('token') ?? ''
      const byLink = await auth.verifyOtp({ token_hash: hash, type: 'email' })
      expect(byLink.data.user?.email).toBe(address('otp'))
      const phone = line === '2.109.0' ? '13800138000' : '13800138001'
      const sent = await auth.signInWithOtp({ phone })
      expect(sent.error).toBeNull()
      expect((await auth.verifyOtp({ phone, token: '123456', type: 'sms' })).data.user?.phone).toBe(phone)
      const nobody = await auth.signInWithOtp({ email: address('nobody'), options: { shouldCreateUser: false } })
      expect(nobody.error?.code).toBe('otp_disabled')
    })

    it('signInAnonymously, then an address through updateUser', async () => {
      const { auth } = open()
      const { data, error } = await auth.signInAnonymously({ options: { data: { colour: 'green' } } })
      expect(error).toBeNull()
      expect(data.user?.is_anonymous).toBe(true)
      expect((await auth.updateUser({ email: address('grown') })).data.user?.new_email).toBe(address('grown'))
      const token = codeOf(await world.mailbox.latest(address('grown')))
      const changed = await auth.verifyOtp({ email: address('grown'), token, type: 'email_change' })
      expect(changed.error).toBeNull()
      expect(changed.data.user).toMatchObject({ id: data.user?.id, is_anonymous: false, email: address('grown') })
    })

    it('resetPasswordForEmail and exchangeCodeForSession, with PKCE', async () => {
      await member('forgot')
      const { auth } = open('pkce')
      const asked = await auth.resetPasswordForEmail(address('forgot'), { redirectTo: 'https://app.example.com/reset' })
      expect(asked.error).toBeNull()
      const mail = await world.mailbox.latest(address('forgot'))
      expect(mail.raw).toMatch(/Subject: Back in: \d{6}/)
      const opened = await recorder.fetch(linkOf(mail), { redirect: 'manual' })
      const target = new URL(opened.headers.get('location') ?? '')
      expect(target.href).toMatch(/^https:\/\/app\.example\.com\/reset\?code=/)
      const { error } = await auth.exchangeCodeForSession(target.searchParams.get('code') ?? '')
      expect(error).toBeNull()
      expect((await auth.updateUser({ password: 'a new password' })).error).toBeNull()
      expect(
        (await open().auth.signInWithPassword({ email: address('forgot'), password: 'a new password' })).error,
      ).toBeNull()
    })

    it('resend and reauthenticate', async () => {
      const { auth } = open()
      await auth.signUp({ email: address('again'), password: PASSWORD })
      const sent = world.mailbox.mails.length
      expect((await auth.resend({ type: 'signup', email: address('again') })).error).toBeNull()
      const token = codeOf(await world.mailbox.latest(address('again'), sent))
      expect((await auth.verifyOtp({ email: address('again'), token, type: 'signup' })).error).toBeNull()
      const before = world.mailbox.mails.length
      expect((await auth.reauthenticate()).error).toBeNull()
      const nonce = codeOf(await world.mailbox.latest(address('again'), before))
      expect((await auth.updateUser({ password: 'a new password', nonce })).error).toBeNull()
    })

    it('refreshSession, setSession, and a session that was revoked', async () => {
      const { client, session } = await member('refresh')
      const refreshed = await client.auth.refreshSession()
      expect(refreshed.error).toBeNull()
      expect(refreshed.data.session?.refresh_token).not.toBe(session?.refresh_token)
      const other = open()
      const set = await other.auth.setSession({
        access_token: refreshed.data.session?.access_token ?? '',
        refresh_token: refreshed.data.session?.refresh_token ?? '',
      })
      expect(set.data.user?.email).toBe(address('refresh'))
      await client.auth.signOut({ scope: 'global' })
      const gone = await other.auth.getUser()
      expect(gone.error?.name).toBe('AuthSessionMissingError')
      expect((await open().auth.refreshSession({ refresh_token: 'nonsense' })).error).toMatchObject({
        code: 'refresh_token_not_found',
      })
    })

    it('signOut with others and local', async () => {
      const { client } = await member('others')
      const second = open()
      await second.auth.signInWithPassword({ email: address('others'), password: PASSWORD })
      expect((await client.auth.signOut({ scope: 'others' })).error).toBeNull()
      expect((await second.auth.getUser()).error).not.toBeNull()
      expect((await client.auth.getUser()).error).toBeNull()
      expect((await client.auth.signOut({ scope: 'local' })).error).toBeNull()
    })

    it('updateUser with data, and getClaims', async () => {
      const { client } = await member('claims')
      expect((await client.auth.updateUser({ data: { city: '广州' } })).data.user?.user_metadata).toMatchObject({
        city: '广州',
      })
      await client.auth.refreshSession()
      const { data, error } = await client.auth.getClaims()
      expect(error).toBeNull()
      expect(data?.claims).toMatchObject({ role: 'authenticated', aal: 'aal1', user_metadata: { city: '广州' } })
    })

    it('signInWithOAuth, implicit and with PKCE', async () => {
      world.provider.person = { sub: `oauth-${tag}`, email: address('oauth'), email_verified: true }
      const travel = async (url: string) => {
        const left = await recorder.fetch(url, { redirect: 'manual' })
        const at = await fetch(left.headers.get('location') ?? '', { redirect: 'manual' })
        const back = await recorder.fetch(at.headers.get('location') ?? '', { redirect: 'manual' })
        return new URL(back.headers.get('location') ?? '')
      }
      const { auth } = open('pkce')
      const { data } = await auth.signInWithOAuth({ provider: 'keycloak', options: { skipBrowserRedirect: true } })
      const end = await travel(data.url ?? '')
      const exchanged = await auth.exchangeCodeForSession(end.searchParams.get('code') ?? '')
      expect(exchanged.data.user?.email).toBe(address('oauth'))
      expect(exchanged.data.session?.provider_token).toBe('provider-token')
      const implicit = open()
      const left = await implicit.auth.signInWithOAuth({ provider: 'keycloak', options: { skipBrowserRedirect: true } })
      const told = new URLSearchParams((await travel(left.data.url ?? '')).hash.slice(1))
      const set = await implicit.auth.setSession({
        access_token: told.get('access_token') ?? '',
        refresh_token: told.get('refresh_token') ?? '',
      })
      expect(set.data.user?.id).toBe(exchanged.data.user?.id)
    })

    it('signInWithIdToken, linkIdentity, getUserIdentities and unlinkIdentity', async () => {
      const token = await world.provider.idToken({ sub: `idt-${tag}`, email: address('idt'), email_verified: true })
      const { auth } = open()
      const login = await auth.signInWithIdToken({ provider: 'keycloak', token })
      expect(login.error).toBeNull()
      expect(login.data.user?.email).toBe(address('idt'))
      const { client } = await member('linker')
      const second = await world.provider.idToken({ sub: `link-${tag}`, email: address('link'), email_verified: true })
      const linked = await client.auth.linkIdentity({ provider: 'keycloak', token: second })
      expect(linked.error).toBeNull()
      const { data } = await client.auth.getUserIdentities()
      expect(data?.identities.map(({ provider }) => provider)).toEqual(['email', 'keycloak'])
      const mine = data?.identities.find(({ provider }) => provider === 'keycloak')
      if (mine === undefined) throw new Error('no identity')
      expect((await client.auth.unlinkIdentity(mine)).error).toBeNull()
      const left = await client.auth.linkIdentity({ provider: 'keycloak', options: { skipBrowserRedirect: true } })
      expect(left.data).toMatchObject({ url: expect.stringContaining(world.provider.url) })
    })

    it('mfa: enroll, challenge, verify, challengeAndVerify, listFactors, unenroll, getAuthenticatorAssuranceLevel', async () => {
      const { client } = await member('mfa')
      const { mfa } = client.auth
      const { data: factor, error } = await mfa.enroll({ factorType: 'totp', friendlyName: 'app' })
      expect(error).toBeNull()
      if (factor?.type !== 'totp') throw new Error('no factor')
      expect(factor.totp.qr_code).toMatch(/^data:image\/svg\+xml/)
      const code = generateSync({ secret: factor.totp.secret })
      const { data: challenge } = await mfa.challenge({ factorId: factor.id })
      const verified = await mfa.verify({ factorId: factor.id, challengeId: challenge?.id ?? '', code })
      expect(verified.error).toBeNull()
      expect((await mfa.getAuthenticatorAssuranceLevel()).data).toMatchObject({
        currentLevel: 'aal2',
        nextLevel: 'aal2',
      })
      expect((await mfa.listFactors()).data?.totp).toHaveLength(1)
      const again = await mfa.challengeAndVerify({ factorId: factor.id, code })
      expect(again.error?.code).toBe('mfa_verification_failed')
      const listed = await admin().mfa.listFactors({ userId: (await client.auth.getUser()).data.user?.id ?? '' })
      expect(listed.data?.factors).toHaveLength(1)
      expect((await mfa.unenroll({ factorId: factor.id })).error).toBeNull()
      const passkey = await mfa.enroll({ factorType: 'webauthn', friendlyName: 'key' })
      expect(passkey.error?.code).toBe('mfa_webauthn_enroll_not_enabled')
    })

    it('admin: createUser, listUsers, getUserById, updateUserById, deleteUser, inviteUserByEmail, generateLink, signOut', async () => {
      const { user, session } = await member('managed')
      const id = user?.id ?? ''
      const listed = await admin().listUsers({ page: 1, perPage: 2 })
      expect(listed.error).toBeNull()
      expect(listed.data.users).toHaveLength(2)
      expect(listed.data).toMatchObject({ nextPage: 2, aud: 'authenticated' })
      expect((await admin().getUserById(id)).data.user?.email).toBe(address('managed'))
      const changed = await admin().updateUserById(id, { app_metadata: { plan: 'paid' }, ban_duration: 'none' })
      expect(changed.data.user?.app_metadata).toMatchObject({ plan: 'paid', provider: 'email' })
      expect((await admin().inviteUserByEmail(address('invited'))).data.user?.invited_at).toBeTruthy()
      const link = await admin().generateLink({ type: 'magiclink', email: address('managed') })
      expect(link.data.properties).toMatchObject({
        verification_type: 'magiclink',
        email_otp: expect.stringMatching(/^\d{6}$/),
      })
      const byLink = await open().auth.verifyOtp({
        token_hash: link.data.properties?.hashed_token ?? '',
        type: 'magiclink',
      })
      expect(byLink.data.user?.id).toBe(id)
      expect((await admin().signOut(session?.access_token ?? '', 'local')).error).toBeNull()
      expect((await admin().deleteUser(id)).error).toBeNull()
      expect((await admin().getUserById(id)).error?.status).toBe(404)
      expect((await open().auth.admin.listUsers()).error).toMatchObject({ status: 403, code: 'not_admin' })
    })

    it('what this server does not have answers as if it were switched off', async () => {
      const { client, user } = await member('off')
      const { auth } = client
      const [id, userId] = ['0b1f4a6e-0000-4000-8000-000000000000', user?.id ?? '']
      // Of each method the smallest argument that it takes; the answers do not depend on them.
      type Loose = Readonly<
        Record<string, (...given: unknown[]) => Promise<{ error: { code?: string | undefined } | null }>>
      >
      const of = (part: object | undefined) => part as unknown as Loose
      const [oauth, passkey, webauthn] = [of(auth.oauth), of(auth.passkey), of(auth.mfa.webauthn)]
      const [clients, providers, keys] = [of(admin().oauth), of(admin().customProviders), of(admin().passkey)]
      const calls: Readonly<
        Record<string, readonly (() => Promise<{ error: { code?: string | undefined } | null }> | undefined)[]>
      > = {
        saml_provider_disabled: [() => auth.signInWithSSO({ domain: 'example.com' })],
        provider_disabled: [() => of(auth).signInWithWeb3?.({ chain: 'ethereum', message: 'x', signature: '0x1' })],
        oauth_server_disabled: [
          () => oauth.getAuthorizationDetails?.('x'),
          () => oauth.approveAuthorization?.('x', { skipBrowserRedirect: true }),
          () => oauth.denyAuthorization?.('x', { skipBrowserRedirect: true }),
          () => oauth.listGrants?.(),
          () => oauth.revokeGrant?.({ clientId: id }),
          () => clients.listClients?.(),
          () => clients.createClient?.({ client_name: 'x', redirect_uris: ['https://x.example'] }),
          () => clients.getClient?.(id),
          () => clients.updateClient?.(id, {}),
          () => clients.deleteClient?.(id),
          () => clients.regenerateClientSecret?.(id),
        ],
        passkey_disabled: [
          () => passkey.startRegistration?.(),
          () => passkey.verifyRegistration?.({ challengeId: id, credential: {} }),
          () => passkey.startAuthentication?.(),
          () => passkey.verifyAuthentication?.({ challengeId: id, credential: {} }),
          () => passkey.list?.(),
          () => passkey.update?.({ passkeyId: id, friendlyName: 'x' }),
          () => passkey.delete?.({ passkeyId: id }),
          () => keys.listPasskeys?.({ userId }),
          () => keys.deletePasskey?.({ userId, passkeyId: id }),
        ],
        feature_disabled: [
          () => providers.listProviders?.(),
          () => providers.createProvider?.({ provider_type: 'oidc', identifier: 'custom:x', name: 'x' }),
          () => providers.getProvider?.('custom:x'),
          () => providers.updateProvider?.('custom:x', {}),
          () => providers.deleteProvider?.('custom:x'),
        ],
        mfa_webauthn_enroll_not_enabled: [() => webauthn.enroll?.({ friendlyName: 'x' })],
      }
      for (const [code, each] of Object.entries(calls))
        for (const call of each) expect([String(call), (await call())?.error?.code]).toEqual([String(call), code])
    })

    it('challengeAndVerify, startAutoRefresh and stopAutoRefresh, and the factors of others', async () => {
      const { client, user } = await member('ticking')
      await client.auth.startAutoRefresh()
      await client.auth.stopAutoRefresh()
      const { data: factor } = await client.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'app' })
      if (factor?.type !== 'totp') throw new Error('no factor')
      const code = generateSync({ secret: factor.totp.secret })
      expect((await client.auth.mfa.challengeAndVerify({ factorId: factor.id, code })).error).toBeNull()
      const removed = await admin().mfa.deleteFactor({ id: factor.id, userId: user?.id ?? '' })
      expect(removed.error).toBeNull()
    })
  })
}

const latestAlone = () => {
  it('mfa.recoveryCodes: generate, getStatus, verify, regenerate, unenroll', async () => {
    const { anonKey, url, secretKey } = world.server.report
    const options = {
      global: { fetch: recorder.fetch },
      auth: { persistSession: false, autoRefreshToken: false, experimental: { recoveryCodes: true } },
      ...TRANSPORT,
    }
    const operator = createLatest(url, secretKey, options)
    await operator.auth.admin.createUser({ email: 'codes@example.com', password: PASSWORD, email_confirm: true })
    const { auth } = recorder.client(createLatest(url, anonKey, options))
    await auth.signInWithPassword({ email: 'codes@example.com', password: PASSWORD })
    const { data: factor } = await auth.mfa.enroll({ factorType: 'totp', friendlyName: 'app' })
    if (factor?.type !== 'totp') throw new Error('no factor')
    await auth.mfa.challengeAndVerify({ factorId: factor.id, code: generateSync({ secret: factor.totp.secret }) })
    const made = await auth.mfa.recoveryCodes.generate()
    expect(made.error).toBeNull()
    expect(made.data).toMatchObject({ type: 'recovery_code', total: 10, friendly_name: 'Recovery codes' })
    await auth.signOut()
    await auth.signInWithPassword({ email: 'codes@example.com', password: PASSWORD })
    const used = await auth.mfa.recoveryCodes.verify({ code: made.data?.codes[0] ?? '' })
    expect(used.error).toBeNull()
    expect((await auth.mfa.getAuthenticatorAssuranceLevel()).data?.currentLevel).toBe('aal2')
    expect((await auth.mfa.recoveryCodes.getStatus()).data).toMatchObject({ total: 10, remaining: 9 })
    expect((await auth.mfa.recoveryCodes.regenerate()).data?.codes).toHaveLength(10)
    expect((await auth.mfa.recoveryCodes.unenroll()).error).toBeNull()
  })
}

const both = () => {
  it('pass in the Node that each asks for, and COVERAGE.md says what they call', async () => {
    const latest = await latestResults()
    const text = coverage({ '2.109.0': recorder.results(), '2.119.0': latest })
    expect(text).not.toMatch(/FAILED|NOT CALLED/)
    await expect(text).toMatchFileSnapshot('./COVERAGE.md')
  }, 180_000)
}

if (inLatestNode) describe('supabase-js 2.119.0 alone', latestAlone)
else describe('both', both)
