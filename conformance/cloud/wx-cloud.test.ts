/** `wx.cloud` in a mini-program: every member, against a started server, as people of the sandbox. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../support/until.ts'
import { type CloudPhone, openStage, type Stage } from './stage.ts'

let stage: Stage
let alice: CloudPhone
let bob: CloudPhone

beforeAll(async () => {
  stage = await openStage()
  await stage.sql(`select cloud.create_collection('tea', 'READONLY')`)
  await stage.sql(`select cloud.create_collection('secrets', 'PRIVATE')`)
  await stage.deploy('echo', {
    'index.js': `exports.main = async (event) => ({ event, openid: process.env.WX_OPENID, userInfo: process.env.WX_APPID })`,
  })
  await stage.deploy('broken', { 'index.js': `exports.main = () => { throw new Error('no tea') }` })
  ;[alice, bob] = await Promise.all([stage.phone('alice'), stage.phone('bob')])
}, 120_000)
afterAll(() => stage?.stop())

describe('documents', () => {
  it('are added, read, changed, counted and removed', async () => {
    const db = alice.cloud.database()
    const _ = db.command
    const at = new Date(1_700_000_000_000)
    const added = await db.collection('tea').add({
      data: {
        name: '龙井',
        n: 1,
        at,
        made: db.serverDate(),
        place: db.Geo.Point(120.1, 30.2),
        tags: ['green'],
        o: { p: { q: 1 } },
      },
    })
    expect(added).toEqual({ ['_id']: expect.any(String), errMsg: 'collection.add:ok' })
    const tea = db.collection('tea').doc(String(added._id))
    const { data } = (await tea.get()) as { data: Record<string, unknown> }
    expect(data).toMatchObject({ name: '龙井', n: 1, tags: ['green'], o: { p: { q: 1 } } })
    expect(Object(data.at).getTime()).toBe(at.getTime())
    expect(Math.abs(Object(data.made).getTime() - Date.now())).toBeLessThan(60_000)
    expect(data.place).toMatchObject({ longitude: 120.1, latitude: 30.2 })
    expect(data._openid).toMatch(/^o/)
    expect(await tea.update({ data: { n: _.inc(2), tags: _.push(['fresh']), o: { p: { r: 2 } } } })).toMatchObject({
      stats: { updated: 1 },
      errMsg: 'document.update:ok',
    })
    expect((await tea.get()) as object).toMatchObject({
      data: { n: 3, tags: ['green', 'fresh'], o: { p: { q: 1, r: 2 } } },
    })
    const found = await db
      .collection('tea')
      .where({ n: _.gt(2).lt(10), tags: 'fresh', 'o.p': { q: _.in([1, 2]) }, name: db.RegExp({ regexp: '^龙' }) })
      .orderBy('n', 'desc')
      .field({ name: true })
      .get()
    expect(found).toEqual({ data: [{ ['_id']: added._id, name: '龙井' }], errMsg: 'collection.get:ok' })
    expect(
      await db
        .collection('tea')
        .where(_.or([{ n: 3 }, { n: 99 }]))
        .count(),
    ).toEqual({ total: 1, errMsg: 'collection.count:ok' })
    expect(
      await db
        .collection('tea')
        .doc('x')
        .set({ data: { n: 7 } }),
    ).toMatchObject({ stats: { updated: 0, created: 1 } })
    expect(
      await db
        .collection('tea')
        .doc('x')
        .set({ data: { n: 8 } }),
    ).toMatchObject({ stats: { updated: 1, created: 0 } })
    expect(await db.collection('tea').doc('x').remove()).toEqual({
      stats: { removed: 1 },
      errMsg: 'document.remove:ok',
    })
  })

  it('are aggregated', async () => {
    const db = alice.cloud.database()
    const $ = db.command.aggregate
    for (const n of [1, 2, 3]) await db.collection('tea').add({ data: { kind: 'black', n } })
    const { list } = await db
      .collection('tea')
      .aggregate()
      .match({ kind: 'black' })
      .group({ _id: '$kind', total: $.sum?.('$n'), most: $.max?.('$n') })
      .end()
    expect(list).toEqual([{ ['_id']: 'black', total: 6, most: 3 }])
  })

  it('belong to whoever made them', async () => {
    const mine = alice.cloud.database().collection('tea')
    await mine.add({ data: { ['_id']: 'of alice', n: 1 } })
    const theirs = bob.cloud.database().collection('tea').doc('of alice')
    expect(await theirs.get()).toMatchObject({ data: { n: 1 } })
    expect(await theirs.update({ data: { n: 2 } })).toMatchObject({ stats: { updated: 0 } })
    await alice.cloud
      .database()
      .collection('secrets')
      .add({ data: { ['_id']: 'secret' } })
    const { data } = await bob.cloud.database().collection('secrets').get()
    expect(data).toEqual([])
  })

  it('come twenty at a time, and all is told by callback when any is given', async () => {
    const db = alice.cloud.database()
    await Promise.all(Array.from({ length: 25 }, (_, n) => db.collection('tea').add({ data: { many: true, n } })))
    const read = await new Promise<{ data: unknown[] }>((success, fail) => {
      const nothing: unknown = db
        .collection('tea')
        .where({ many: true })
        .limit(100)
        .get({ success, fail } as never)
      expect(nothing).toBeUndefined()
    })
    expect(read.data).toHaveLength(20)
  })

  it('that are not there are an error, in words that apps look at', async () => {
    const db = alice.cloud.database()
    await expect(db.collection('tea').doc('nowhere').get()).rejects.toMatchObject({
      errMsg: 'document.get:fail document with _id nowhere does not exist',
    })
    await expect(db.collection('nothing').get()).rejects.toMatchObject({
      errCode: -502005,
      errMsg: expect.stringContaining('collection.get:fail -502005 database collection not exists'),
    })
  })
})

describe('watch', () => {
  it('tells the first list as init, then every change, also through a background', async () => {
    const db = alice.cloud.database()
    const snapshots: {
      type?: string
      docs: readonly unknown[]
      docChanges: readonly { queueType: string; dataType: string }[]
    }[] = []
    await db.collection('tea').add({ data: { room: 'r', n: 0 } })
    const watcher = db
      .collection('tea')
      .where({ room: 'r' })
      .watch({
        onChange: (snapshot) => {
          snapshots.push(snapshot)
        },
        onError: (error) => {
          throw error
        },
      })
    await until('the first list', () => snapshots.length === 1)
    expect(snapshots[0]).toMatchObject({ type: 'init', docs: [{ n: 0 }], docChanges: [{ queueType: 'init' }] })
    await bob.cloud
      .database()
      .collection('tea')
      .add({ data: { room: 'r', n: 1 } })
    await until('a second document', () => snapshots.at(-1)?.docs.length === 2)
    expect(snapshots.at(-1)).toMatchObject({ docChanges: [{ queueType: 'enqueue', dataType: 'add', doc: { n: 1 } }] })
    expect(snapshots.at(-1)?.type).toBeUndefined()
    alice.realm.controls.setClock(1_800_000_000_000)
    alice.realm.controls.goBackground()
    await alice.realm.controls.advance(8_000)
    await bob.cloud
      .database()
      .collection('tea')
      .add({ data: { room: 'r', n: 2 } })
    alice.realm.controls.setClock(null)
    alice.realm.controls.goForeground()
    await until('what happened meanwhile', () => snapshots.at(-1)?.docs.length === 3, { within: 15_000 })
    const enqueued = snapshots.flatMap(({ docChanges }) =>
      docChanges.filter(({ queueType }) => queueType === 'enqueue'),
    )
    expect(enqueued).toHaveLength(2)
    await watcher.close()
  }, 60_000)

  it('sees rows that somebody inserts by REST into a relational table', async () => {
    await stage.sql(`create table public.orders (id bigint generated by default as identity primary key, what text, at timestamptz default now());
      alter table public.orders enable row level security; create policy everyone on public.orders using (true) with check (true);
      grant select, insert on public.orders to anon, authenticated; alter publication supabase_realtime add table public.orders`)
    const snapshots: { docs: readonly unknown[] }[] = []
    const watching = () =>
      alice.cloud
        .database()
        .collection('orders')
        .where({ what: 'tea' })
        .watch({ onChange: (snapshot) => snapshots.push(snapshot), onError: (error) => errors.push(error) })
    const errors: unknown[] = []
    const watcher = watching()
    await until('the first list, or an error', () => snapshots.length > 0 || errors.length > 0, { within: 15_000 })
    expect(errors).toEqual([])
    const { url, anonKey } = stage.report
    const headers = { apikey: anonKey, 'content-type': 'application/json' }
    await fetch(`${url}/rest/v1/orders`, {
      method: 'POST',
      headers,
      body: JSON.stringify([{ what: 'coffee' }, { what: 'tea' }]),
    })
    await until('the row', () => snapshots.at(-1)?.docs.length === 1)
    expect(snapshots.at(-1)?.docs).toMatchObject([{ what: 'tea', at: expect.any(Object) }])
    expect(errors).toEqual([])
    await watcher.close()
  }, 60_000)
})

describe('across dialects', () => {
  it('a document is a row of the schema cloud', async () => {
    const db = alice.cloud.database()
    await db.collection('tea').add({ data: { ['_id']: 'row', shared: true } })
    const { url, anonKey } = stage.report
    const answer = await fetch(`${url}/rest/v1/tea?_id=eq.row&select=_id,doc`, {
      headers: { apikey: anonKey, 'accept-profile': 'cloud' },
    })
    expect(await answer.json()).toEqual([{ ['_id']: 'row', doc: { shared: true } }])
  })
})

describe('functions', () => {
  it('are called with data and know who calls', async () => {
    const { result, errMsg } = await alice.cloud.callFunction({ name: 'echo', data: { a: [1] } })
    expect({ result, errMsg }).toMatchObject({
      result: { event: { a: [1] }, openid: expect.stringMatching(/^o/) },
      errMsg: 'cloud.callFunction:ok',
    })
    const other = await bob.cloud.callFunction({ name: 'echo' })
    expect(Object(other.result).openid).not.toBe(Object(result).openid)
  })

  it('that fail say so with a number', async () => {
    await expect(alice.cloud.callFunction({ name: 'broken' })).rejects.toMatchObject({
      errCode: -504002,
      errMsg: expect.stringContaining('no tea'),
    })
    await expect(alice.cloud.callFunction({ name: 'nobody' })).rejects.toMatchObject({ errCode: -501000 })
  })
})

describe('what WeChat alone can do', () => {
  it.each(['callContainer', 'connectContainer'] as const)('%s is refused with a reason', async (name) => {
    await expect(alice.cloud[name]()).rejects.toMatchObject({ errMsg: expect.stringContaining(`cloud.${name}:fail`) })
  })
})
