/** The unmodified official supabase-js, both versions, as the SDK ships it: on strict phones, against the real server. */
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { RealmOptions } from '../../packages/simulator/src/realm/realm.ts'
import { type StartReport, startServer, type TestServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import { type Peer, startPeer } from './peer.ts'
import {
  ask,
  type Bundle,
  bundleVersion,
  openPhone,
  type Phone,
  schema,
  type Version,
  versions,
} from './supabase-app.ts'

let server: TestServer
let report: StartReport
let peer: Peer
const bundles = new Map<Version, Bundle>()
const phones: Phone[] = []

beforeAll(async () => {
  server = await startServer({ args: ['--dev'] })
  report = server.report
  peer = await startPeer()
  await ask(report, schema)
  for (const version of versions) bundles.set(version, await bundleVersion(version))
})
afterEach(async () => {
  for (const { client, realm } of phones.splice(0)) {
    await client.removeAllChannels()
    realm.close()
  }
})
afterAll(async () => {
  for (const bundle of bundles.values()) await bundle.remove()
  await peer?.stop()
  await server?.stop()
})

describe.each(versions)('%s', (version) => {
  const open = async (options: Parameters<typeof openPhone>[2] = {}): Promise<Phone> => {
    const bundle = bundles.get(version)
    if (!bundle) throw new Error('not bundled')
    const phone = await openPhone(bundle, report, options)
    phones.push(phone)
    return phone
  }
  /** Answers the data, or fails with the error. */
  const data = async <Answer extends { data: unknown; error: unknown }>(
    answer: PromiseLike<Answer>,
  ): Promise<NonNullable<Answer['data']>> => {
    const { data: value, error } = await answer
    if (error !== null || value === null || value === undefined) throw new Error(`no data: ${JSON.stringify(error)}`)
    return value
  }
  const tag = version === '@supabase/supabase-js' ? 'a' : 'b'

  it('loads without globals and leaves none behind', async () => {
    const { realm, official } = await open()
    expect(official.createClient).toBeTypeOf('function')
    const names = ['fetch', 'URL', 'Headers', 'FormData', 'WebSocket', 'TextEncoder', 'localStorage', '__magic__']
    expect(names.map((name) => realm.evaluate(`typeof globalThis.${name}`))).toEqual(names.map(() => 'undefined'))
  })

  it('reads and writes rows: insert, select, filters, PATCH, upsert, delete, rpc, count', async () => {
    const { client } = await open()
    const notes = client.from('notes')
    const [first] = await data(
      notes
        .insert([{ text: `${tag} 茶`, tags: ['x'] }, { text: `${tag} 馆` }])
        .select('id, text')
        .order('id'),
    )
    expect(first?.['text']).toBe(`${tag} 茶`)
    expect(await data(notes.select('text').like('text', `${tag} %`).order('id'))).toEqual([
      { text: `${tag} 茶` },
      { text: `${tag} 馆` },
    ])
    expect(
      await data(
        notes
          .update({ text: `${tag} 红茶` })
          .eq('id', first?.['id'])
          .select('text')
          .single(),
      ),
    ).toEqual({
      text: `${tag} 红茶`,
    })
    await data(notes.upsert({ id: first?.['id'], text: `${tag} 绿茶` }).select())
    const { count } = await notes.select('*', { count: 'exact', head: true }).like('text', `${tag} %`)
    expect(count).toBe(2)
    expect(await data(client.rpc('add', { a: 1, b: 2 }))).toBe(3)
    expect((await notes.delete().like('text', `${tag} %`)).status).toBe(204)
    const { error } = await client.from('nothing').select()
    expect(error).toMatchObject({ code: 'PGRST205' })
  })

  it('signs up, signs in, keeps the session over a restart, refreshes it and signs out', async () => {
    const { client, realm } = await open()
    const email = `${tag}@example.com`
    const signedUp = await client.auth.signUp({ email, password: 'secret-password' })
    expect(signedUp.error).toBeNull()
    const signedIn = await data(client.auth.signInWithPassword({ email, password: 'secret-password' }))
    expect(signedIn.user?.email).toBe(email)
    await data(client.from('secrets').insert({ text: 'mine' }).select())
    // The same phone, started again: no login.
    const again = await open({ memory: realm.memory } satisfies Partial<RealmOptions>)
    const kept = await data(again.client.auth.getSession())
    expect(kept.session?.user.email).toBe(email)
    const rows = await data(again.client.from('secrets').select('text'))
    expect(rows).toContainEqual({ text: 'mine' })
    const renewed = await data(again.client.auth.refreshSession())
    expect(renewed.session?.refresh_token).not.toBe(kept.session?.refresh_token)
    const updated = await data(again.client.auth.updateUser({ data: { name: '茶客' } }))
    expect(updated.user?.user_metadata['name']).toBe('茶客')
    expect((await again.client.auth.signOut()).error).toBeNull()
    expect((await again.client.auth.getSession()).data.session).toBeNull()
    const wrong = await again.client.auth.signInWithPassword({ email, password: 'wrong' })
    expect(wrong.error).toMatchObject({ status: 400, code: 'invalid_credentials' })
  })

  it('logs in by WeChat, and again unseen when the session was revoked', async () => {
    const { client, official } = await open({ user: `wechat-${tag}` })
    const session = await official.signInWithWechat(client)
    const user = session.user.id
    await data(client.from('secrets').insert({ text: 'before' }).select())
    await ask(report, `delete from auth.sessions where user_id = '${user}'`)
    const refreshed = await data(client.auth.refreshSession())
    expect(refreshed.session?.user.id).toBe(user)
    expect(refreshed.session?.access_token).not.toBe(session.access_token)
    expect(await data(client.from('secrets').select('text'))).toEqual([{ text: 'before' }])
  })

  it('does not log in another WeChat user in place of the one whose session was revoked', async () => {
    const { client, official, realm } = await open({ user: `first-${tag}` })
    const { user } = await official.signInWithWechat(client)
    await ask(report, `delete from auth.sessions where user_id = '${user.id}'`)
    const phone = await open({ user: `second-${tag}`, memory: realm.memory })
    expect((await phone.client.auth.refreshSession()).error).not.toBeNull()
    // The old token lives on until it expires; what matters is that it is nobody else's.
    const { session } = (await phone.client.auth.getSession()).data
    expect(session?.user.id ?? user.id).toBe(user.id)
  })

  it('does not log in anybody by WeChat who logged in otherwise', async () => {
    const { client } = await open()
    const email = `${tag}-2@example.com`
    await client.auth.signUp({ email, password: 'secret-password' })
    const { session } = await data(client.auth.signInWithPassword({ email, password: 'secret-password' }))
    await ask(report, `delete from auth.sessions where user_id = '${session?.user.id}'`)
    const { error } = await client.auth.refreshSession()
    expect(error).not.toBeNull()
  })

  it('uploads, lists, downloads, moves, signs and removes files', async () => {
    const { client, realm, sdk } = await open()
    const bucket = client.storage.from('open')
    const bytes = randomBytes(300_000)
    realm.files.write('http://usr/photo.png', bytes)
    const seen: number[] = []
    // What is uploaded by path never enters the memory of the app.
    const file = sdk.wxFile('http://usr/photo.png', { onProgress: ({ loaded }) => void seen.push(loaded) })
    // The types are the browser's; the class is what the client looks for.
    const uploaded = await data(bucket.upload(`${tag}/图.png`, file as never, { metadata: { by: 'phone' } }))
    expect(uploaded.path).toBe(`${tag}/图.png`)
    expect(seen.at(-1)).toBeGreaterThanOrEqual(300_000)
    const listed = await data(bucket.list(tag))
    expect(listed.map(({ name, metadata }) => [name, metadata?.['size'], metadata?.['mimetype']])).toEqual([
      ['图.png', 300_000, 'image/png'],
    ])
    const blob = await data(bucket.download(`${tag}/图.png`))
    const hash = (part: ArrayBuffer) => createHash('sha256').update(Buffer.from(part)).digest('hex')
    expect(hash(await blob.arrayBuffer())).toBe(createHash('sha256').update(bytes).digest('hex'))
    await data(bucket.update(`${tag}/图.png`, sdk.wxFile('http://usr/photo.png') as never))
    await data(bucket.upload(`${tag}/b.bin`, new Uint8Array([1, 2, 3]).buffer, { contentType: 'application/x-own' }))
    expect((await bucket.upload(`${tag}/b.bin`, 'x')).error).not.toBeNull()
    await data(bucket.move(`${tag}/b.bin`, `${tag}/c.bin`))
    const { signedUrl } = await data(bucket.createSignedUrl(`${tag}/c.bin`, 60))
    expect([...(await (await sdk.fetch(signedUrl)).bytes())]).toEqual([1, 2, 3])
    const target = await data(bucket.createSignedUploadUrl(`${tag}/d.png`))
    await data(bucket.uploadToSignedUrl(target.path, target.token, sdk.wxFile('http://usr/photo.png') as never))
    expect((await data(bucket.info(`${tag}/d.png`))).size).toBe(300_000)
    expect((await data(bucket.remove([`${tag}/图.png`, `${tag}/c.bin`, `${tag}/d.png`]))).length).toBe(3)
    expect(await data(bucket.list(tag))).toEqual([])
  })

  it('hears changes, broadcasts and who is there, over binary frames', async () => {
    const [alice, bob] = [await open({ user: 'alice' }), await open({ user: 'bob' })]
    const heard: unknown[] = []
    // The older version writes event names byte by byte: no other script survives that.
    const typing = version === 'supabase-js-latest' ? '打字' : 'typing'
    const join = async ({ client }: Phone, key: string) => {
      const channel = client.channel(`room-${tag}`, {
        config: { broadcast: { self: false, ack: true }, presence: { key } },
      })
      channel
        .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'notes' }, ({ new: row }) =>
          heard.push([key, row['text']]),
        )
        .on('broadcast', { event: typing }, ({ payload }) => heard.push([key, payload]))
        .on('presence', { event: 'sync' }, () => {})
      const states: string[] = []
      channel.subscribe((state) => states.push(state))
      await until(`${key} has joined`, () => states.includes('SUBSCRIBED'))
      return channel
    }
    const [one, two] = [await join(alice, 'alice'), await join(bob, 'bob')]
    await one.track({ name: '甲' })
    await until('bob sees alice', () => Object.keys(two.presenceState()).includes('alice'))
    expect(await one.send({ type: 'broadcast', event: typing, payload: { who: '甲' } })).toBe('ok')
    await until('bob heard the broadcast', () => heard.some((item) => JSON.stringify(item) === '["bob",{"who":"甲"}]'))
    await data(
      alice.client
        .from('notes')
        .insert({ text: `${tag} live` })
        .select(),
    )
    await until('both heard the row', () => heard.filter((item) => JSON.stringify(item).includes('live')).length === 2)
  })

  it('calls functions', async () => {
    const { official } = await open()
    const client = official.createClient(peer.url, 'key')
    const answer = await data(client.functions.invoke('echo', { body: { 茶: 1 } }))
    expect(answer).toMatchObject({ method: 'POST', url: '/functions/v1/echo', headers: { apikey: 'key' } })
    const { error } = await client.functions.invoke('refused')
    expect(error).toMatchObject({ name: 'FunctionsHttpError' })
  })

  it('a channel that the background cut is joined again on return, at once', async () => {
    const { client, realm } = await open()
    const other = await open()
    const heard: unknown[] = []
    const states: string[] = []
    client
      .channel(`back-${tag}`)
      .on('postgres_changes', { event: '*', schema: 'public', table: 'notes' }, ({ new: row }) =>
        heard.push(Reflect.get(row, 'text')),
      )
      .subscribe((state) => states.push(state))
    await until('joined', () => states.filter((state) => state === 'SUBSCRIBED').length === 1)
    realm.controls.setClock(Date.now())
    realm.controls.goBackground()
    await realm.controls.advance(20_000)
    realm.controls.setClock(null)
    realm.controls.goForeground()
    const started = performance.now()
    await until('joined again', () => states.filter((state) => state === 'SUBSCRIBED').length === 2)
    expect(performance.now() - started).toBeLessThan(2_000)
    await data(
      other.client
        .from('notes')
        .insert({ text: `${tag} after` })
        .select(),
    )
    await until('heard', () => heard.includes(`${tag} after`))
  })

  it('an access token that is refused is renewed once, and the request goes out again', async () => {
    const { client, realm } = await open({ user: `renew-${tag}` })
    const { signInWithWechat } = realm.require('./supabase.js') as Phone['official']
    const session = await signInWithWechat(client)
    // A token of another time: the secret has changed since, say.
    const storage = realm.memory.storage
    const key = [...storage.keys()].find((name) => name.endsWith('-auth-token')) ?? ''
    expect(key).not.toBe('')
    const broken = `${session.access_token.slice(0, -6)}AAAAAA`
    storage.set(key, (storage.get(key) ?? '').replace(session.access_token, broken))
    const again = await open({ user: `renew-${tag}`, memory: realm.memory })
    const answers = await Promise.all(
      [1, 2, 3].map((n) =>
        again.client
          .from('secrets')
          .insert({ text: `n${n}` })
          .select(),
      ),
    )
    expect(answers.map(({ status, error }) => [status, error])).toEqual([1, 2, 3].map(() => [201, null]))
  })
})
