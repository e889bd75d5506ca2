/** CloudBase's SDK for pages and mini-programs, two generations, unmodified: redirected by the addresses that it lets an app set. */
import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { until } from '../support/until.ts'
import { nodeAdapter } from './node-adapter.ts'
import { openStage, type Stage } from './stage.ts'

const require = createRequire(import.meta.url)

// The packages are CommonJS bundles; what they answer is what is looked at.
// biome-ignore lint/suspicious/noExplicitAny: the SDK's own answers are looked at, whatever they are.
type Sdk = any

let stage: Stage
beforeAll(async () => {
  // The SDK tells the console about every message.
  for (const level of ['log', 'warn'] as const) vi.spyOn(console, level).mockImplementation(() => {})
  stage = await openStage()
  await stage.sql(`select cloud.create_collection('tea', 'READONLY')`)
  await stage.deploy('hello', {
    'index.js': `exports.main = async ({ name }) => ({ hello: name, openid: process.env.WX_OPENID })`,
  })
}, 120_000)
afterAll(() => stage?.stop())

const versions = { '3.7': '@cloudbase/js-sdk', '2.24': 'cloudbase-js-sdk-2' } as const

describe.each(Object.entries(versions))('@cloudbase/js-sdk %s', (version, name) => {
  let app: Sdk
  let auth: Sdk
  beforeAll(async () => {
    const loaded = require(name)
    const cloudbase = loaded.default ?? loaded
    cloudbase.useAdapters({ ...nodeAdapter(), runtime: `node-${version}` })
    app = cloudbase.init({ env: `env-${version.replace('.', '-')}`, clientId: 'env' })
    const host = stage.report.url.replace(/^https?:/, '')
    const register = cloudbase.registerEndPoint === undefined ? app : cloudbase
    register.registerEndPoint(`${host}/web`, 'http')
    const withKey = app.registerEndPointWithKey ?? cloudbase.registerEndPointWithKey
    withKey?.call(app, { key: 'GATEWAY', url: `${host}/v1`, protocol: 'http' })
    auth = app.auth({ persistence: 'none' })
    await auth.signInAnonymously()
  }, 60_000)

  it('works with documents', async () => {
    const db = app.database()
    const _ = db.command
    const tea = db.collection('tea')
    const { id } = await tea.add({
      v: version,
      a: 1,
      d: new Date(1_700_000_000_000),
      s: db.serverDate(),
      loc: new db.Geo.Point(113, 23),
    })
    expect(id).toEqual(expect.any(String))
    const { data } = await tea
      .where({ v: version, a: _.gt(0) })
      .orderBy('a', 'desc')
      .limit(5)
      .get()
    expect(data).toMatchObject([
      { ['_id']: id, a: 1, d: new Date(1_700_000_000_000), loc: { longitude: 113, latitude: 23 } },
    ])
    const doc = tea.doc(`doc of ${version}`)
    expect(await doc.set({ n: 1 })).toMatchObject({ upsertedId: `doc of ${version}` })
    expect(await doc.update({ n: _.inc(1) })).toMatchObject({ updated: 1 })
    expect((await doc.get()).data).toMatchObject([{ n: 2 }])
    expect(await tea.where({ v: version }).count()).toMatchObject({ total: 1 })
    const grouped = await tea
      .aggregate()
      .match({ v: version })
      .group({ ['_id']: '$v', c: _.aggregate.sum(1) })
      .end()
    expect(grouped.data).toEqual([{ ['_id']: version, c: 1 }])
    expect(await doc.remove()).toMatchObject({ deleted: 1 })
    expect(await db.collection('nothing').get()).toMatchObject({ code: 'DATABASE_COLLECTION_NOT_EXIST' })
  })

  it('calls functions', async () => {
    const { result } = await app.callFunction({ name: 'hello', data: { name: '茶' } })
    expect(result).toEqual({ hello: '茶', openid: expect.any(String) })
  })

  it('works with files', async () => {
    const file = new Blob([`of ${version}`])
    const { fileID } = await app.uploadFile({ cloudPath: `${version}/z.txt`, filePath: file, fileContent: file })
    expect(fileID).toBe(`cloud://teahouse.cloud/${version}/z.txt`)
    const { fileList } = await app.getTempFileURL({ fileList: [fileID] })
    expect(await (await fetch(fileList[0].tempFileURL)).text()).toBe(`of ${version}`)
    expect((await app.deleteFile({ fileList: [fileID] })).fileList).toMatchObject([{ code: 'SUCCESS' }])
  })

  it('watches a window of documents', async () => {
    const db = app.database()
    const tea = db.collection('tea')
    const _ = db.command
    const seen: Sdk[] = []
    const errors: unknown[] = []
    const watcher = tea
      .where({ g: version })
      .orderBy('n', 'desc')
      .limit(2)
      .watch({ onChange: (snapshot: Sdk) => seen.push(snapshot), onError: (error: unknown) => errors.push(error) })
    const step = async (work: () => Promise<unknown>) => {
      const before = seen.length
      await work()
      await until('a snapshot', () => seen.length > before || errors.length > 0, { within: 10_000 })
      expect(errors).toEqual([])
      const { docChanges, docs } = seen.at(-1)
      return {
        changes: docChanges.map(
          ({ dataType, queueType, docId }: Sdk) => `${dataType}/${queueType} ${docId.split(' ')[0]}`,
        ),
        docs: docs.map(({ n }: Sdk) => n),
      }
    }
    const add = (n: number) => step(() => tea.add({ ['_id']: `${n} of ${version}`, g: version, n }))
    expect(await step(async () => {})).toEqual({ changes: [], docs: [] })
    expect(await add(1)).toEqual({ changes: ['add/enqueue 1'], docs: [1] })
    expect(await add(2)).toEqual({ changes: ['add/enqueue 2'], docs: [1, 2] })
    expect(await add(3)).toEqual({ changes: ['limit/dequeue 1', 'add/enqueue 3'], docs: [2, 3] })
    const change = () => tea.doc(`2 of ${version}`).update({ x: { y: 1 }, n: _.inc(10) })
    expect(await step(change)).toEqual({ changes: ['update/update 2'], docs: [12, 3] })
    expect(seen.at(-1).docChanges[0].updatedFields).toEqual({ n: 12, x: { y: 1 } })
    // The place is filled in the same step or in one of its own, as the rows behind the limit are at hand or not.
    const before = seen.length
    await tea.doc(`3 of ${version}`).remove()
    const isFilled = () => seen.length > before && seen.at(-1).docs.some(({ n }: Sdk) => n === 1)
    await until('the place is filled', isFilled, { within: 10_000 })
    const changes = seen.slice(before).flatMap(({ docChanges }) => docChanges)
    const words = changes.map(
      ({ dataType, queueType, docId }: Sdk) => `${dataType}/${queueType} ${docId.split(' ')[0]}`,
    )
    expect(words).toEqual(['remove/dequeue 3', 'limit/enqueue 1'])
    expect(await step(() => tea.doc(`1 of ${version}`).update({ g: 'elsewhere' }))).toMatchObject({ docs: [12] })
    watcher.close()
  }, 60_000)

  it('logs out', async () => {
    await auth.signOut()
    expect(await auth.getLoginState?.()).toBeFalsy()
  })
})
