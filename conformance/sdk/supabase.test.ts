/** The unmodified official supabase-js, both versions, as the SDK ships it: on strict phones, against the real server. */
import { createHash, randomBytes } from 'node:crypto'
import type { ResumableOptions } from '@teahouse/sdk/tus'
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

  it('a row whose request the background cut off is written once, and answered on return', async () => {
    const { client, realm } = await open({ client: { queueWrites: true } })
    const answer = client
      .from('notes')
      .insert({ text: `${tag} slow` })
      .select('text')
      .then((settled) => settled)
    const isWriting = `select 1 from pg_stat_activity where wait_event = 'PgSleep' and query like '%notes%'`
    await until('the row is being written', async () => (await ask(report, isWriting)).length === 1)
    realm.controls.setClock(Date.now())
    realm.controls.goBackground()
    await realm.controls.advance(8_000)
    realm.controls.setClock(null)
    realm.controls.goForeground()
    const { status, data: rows, error } = await answer
    expect([status, rows, error]).toEqual([201, [{ text: `${tag} slow` }], null])
    expect(await ask(report, `select text from public.notes where text = '${tag} slow'`)).toHaveLength(1)
  })
})

describe('a file in parts', () => {
  const SIZE = 3 * 1024 * 1024
  const path = 'http://usr/large.bin'
  const open = async (options: Parameters<typeof openPhone>[2] = {}): Promise<Phone> => {
    const bundle = bundles.get('@supabase/supabase-js')
    if (!bundle) throw new Error('not bundled')
    const phone = await openPhone(bundle, report, options)
    phones.push(phone)
    return phone
  }
  const begin = ({ tus, client }: Phone, objectName: string, more: Partial<ResumableOptions> = {}) =>
    tus.uploadResumable({
      endpoint: `${report.url}/storage/v1/upload/resumable`,
      file: path,
      metadata: { bucketName: 'open', objectName, contentType: 'application/x-large' },
      headers: async () => {
        const { session } = (await client.auth.getSession()).data
        return { authorization: `Bearer ${session?.access_token ?? report.anonKey}`, apikey: report.anonKey }
      },
      chunkSize: 512 * 1024,
      ...more,
    })
  const hashOf = async (name: string): Promise<string> => {
    const answer = await fetch(`${report.url}/storage/v1/object/public/open/${name}`)
    expect(answer.headers.get('content-type')).toBe('application/x-large')
    return createHash('sha256')
      .update(Buffer.from(await answer.arrayBuffer()))
      .digest('hex')
  }

  it('goes on where it was when the app is started again', async () => {
    const first = await open()
    const bytes = randomBytes(SIZE)
    first.realm.files.write(path, bytes)
    const upload = begin(first, 'again.bin', {
      onProgress: ({ loaded }) => {
        if (loaded >= SIZE / 2) upload.pause()
      },
    })
    await until('half of it is there', () => upload.state === 'paused')
    first.realm.close()
    const second = await open({ memory: first.realm.memory })
    const seen: number[] = []
    await begin(second, 'again.bin', { onProgress: ({ loaded }) => void seen.push(loaded) }).done
    expect(seen[0]).toBeGreaterThanOrEqual(SIZE / 2)
    expect(seen.at(-1)).toBe(SIZE)
    expect(await hashOf('again.bin')).toBe(createHash('sha256').update(bytes).digest('hex'))
    // What is done is forgotten, here and as an address to go on from.
    expect(second.realm.memory.storage.get('teahouse-uploads') ?? '').not.toContain('again.bin')
  })

  it('is begun anew when the server has forgotten it', async () => {
    const phone = await open()
    phone.realm.files.write(path, randomBytes(SIZE))
    const upload = begin(phone, 'forgotten.bin', { onProgress: ({ loaded }) => void (loaded > 0 && upload.pause()) })
    await until('a part is there', () => upload.state === 'paused')
    await ask(report, 'delete from teahouse.upload')
    const seen: number[] = []
    const again = begin(phone, 'forgotten.bin', { onProgress: ({ loaded }) => void seen.push(loaded) })
    await again.done
    expect([seen[0], seen.at(-1)]).toEqual([0, SIZE])
    upload.cancel()
  })

  it('is refused for good where trying again would not help', async () => {
    const phone = await open()
    phone.realm.files.write(path, randomBytes(1_000))
    await begin(phone, 'taken.bin').done
    await expect(begin(phone, 'taken.bin').done).rejects.toMatchObject({ status: 409 })
    const elsewhere = begin(phone, 'x', { metadata: { bucketName: 'nowhere', objectName: 'x' } })
    await expect(elsewhere.done).rejects.toMatchObject({ status: expect.any(Number) })
    expect(elsewhere.state).toBe('failed')
  })

  it('goes on after failures of every kind, and is whole', async () => {
    const phone = await open()
    const bytes = randomBytes(SIZE)
    phone.realm.files.write(path, bytes)
    const states: string[] = []
    const upload = begin(phone, 'rough.bin', { onState: (state) => void states.push(state) })
    for (const reason of ['request:fail timeout', 'net::ERR_CONNECTION_RESET', 'interrupted']) {
      const before = upload.offset
      await until('more is there', () => upload.offset > before || upload.state === 'done')
      phone.realm.controls.failNext('request', { reason })
    }
    await upload.done
    expect(states.at(-1)).toBe('done')
    expect(await hashOf('rough.bin')).toBe(createHash('sha256').update(bytes).digest('hex'))
  })
})
