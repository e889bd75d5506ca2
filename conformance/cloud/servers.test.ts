/** CloudBase's SDKs for servers, unmodified: `@cloudbase/node-sdk` from outside with the operator's keys, `wx-server-sdk` inside of a function. */
import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStage, type Stage } from './stage.ts'

const require = createRequire(import.meta.url)

let stage: Stage
beforeAll(async () => {
  stage = await openStage()
}, 120_000)
afterAll(() => stage?.stop())

// The packages are CommonJS, and their types do not say what they answer.
// biome-ignore lint/suspicious/noExplicitAny: the SDK's own answers are looked at, whatever they are.
type Sdk = any

describe('@cloudbase/node-sdk', () => {
  const open = (): Sdk => {
    const cloudbase = require('@cloudbase/node-sdk')
    const { publishableKey, secretKey, url } = stage.report
    return cloudbase.init({ env: 'my-env', secretId: publishableKey, secretKey, serviceUrl: `${url}/admin` })
  }

  it('works with documents', async () => {
    const db = open().database()
    const _ = db.command
    await db.createCollection('things')
    const document = {
      ['_id']: 'a1',
      n: 1,
      at: new Date(1_700_000_000_000),
      made: db.serverDate({ offset: 1000 }),
      place: new db.Geo.Point(113, 23),
      tags: ['x', 'y'],
      o: { p: { q: 1 } },
    }
    expect(await db.collection('things').add(document)).toMatchObject({ id: 'a1' })
    const { data } = await db.collection('things').doc('a1').get()
    expect(data[0]).toMatchObject({ n: 1, at: new Date(1_700_000_000_000), tags: ['x', 'y'] })
    const found = await db
      .collection('things')
      .where({ n: _.gt(0), 'o.p': { q: 1 } })
      .orderBy('n', 'desc')
      .limit(5)
      .get()
    expect(found.data).toHaveLength(1)
    expect(
      await db
        .collection('things')
        .doc('a1')
        .update({ n: _.inc(2), tags: _.push('z') }),
    ).toMatchObject({ updated: 1 })
    const returned = await db
      .collection('things')
      .where({ ['_id']: 'a1' })
      .updateAndReturn({ n: _.inc(1) })
    expect(returned).toMatchObject({ updated: 1, doc: { n: 4, tags: ['x', 'y', 'z'] } })
    expect(await db.collection('things').doc('b').set({ x: 1 })).toMatchObject({ upsertedId: 'b' })
    expect(await db.collection('things').count()).toMatchObject({ total: 2 })
    const $ = _.aggregate
    const grouped = await db
      .collection('things')
      .aggregate()
      .match({ n: _.gt(0) })
      .group({ ['_id']: '$n', c: $.sum(1) })
      .end()
    expect(grouped.data).toEqual([{ ['_id']: 4, c: 1 }])
    expect(await db.collection('things').where({ x: 1 }).remove()).toMatchObject({ deleted: 1 })
    await expect(db.collection('nothing').get()).rejects.toMatchObject({ code: 'DATABASE_COLLECTION_NOT_EXIST' })
  })

  it('runs transactions, and tries again what another one overtook', async () => {
    const db = open().database()
    await db.collection('things').doc('counter').set({ n: 0 })
    const add = () =>
      db.runTransaction(async (transaction: Sdk) => {
        const counter = transaction.collection('things').doc('counter')
        const { data } = await counter.get()
        await counter.update({ n: (data.n ?? data[0].n) + 1 })
      }, 10)
    await Promise.all([add(), add(), add()])
    expect((await db.collection('things').doc('counter').get()).data[0].n).toBe(3)
  })

  it('works with files', async () => {
    const app = open()
    const { fileID } = await app.uploadFile({ cloudPath: 'dir/茶 1.txt', fileContent: Buffer.from('hello') })
    expect(fileID).toBe('cloud://teahouse.cloud/dir/茶 1.txt')
    expect((await app.downloadFile({ fileID })).fileContent.toString()).toBe('hello')
    const { fileList } = await app.getTempFileURL({ fileList: [fileID, 'cloud://my-env.cloud/none'] })
    expect(fileList.map(({ code }: Sdk) => code)).toEqual(['SUCCESS', 'STORAGE_FILE_NONEXIST'])
    const deleted = await app.deleteFile({ fileList: [fileID] })
    expect(deleted.fileList).toMatchObject([{ code: 'SUCCESS', fileID }])
  })

  it('is refused with the wrong secret', async () => {
    const cloudbase = require('@cloudbase/node-sdk')
    const { publishableKey, url } = stage.report
    const app = cloudbase.init({ env: 'e', secretId: publishableKey, secretKey: 'wrong', serviceUrl: `${url}/admin` })
    await expect(app.database().collection('things').get()).rejects.toMatchObject({ code: 'SIGN_PARAM_INVALID' })
  })
})

const FUNCTION = `
const cloud = require('wx-server-sdk')
cloud.init({ env: cloud.DYNAMIC_CURRENT_ENV })
exports.main = async (event) => {
  const db = cloud.database(), _ = db.command
  const tried = {}
  const tries = {
    add: () => db.collection('things').add({ data: { from: 'function', at: db.serverDate() } }),
    list: () => db.collection('things').where({ from: 'function' }).get(),
    update: () => db.collection('things').where({ from: 'function' }).update({ data: { n: _.inc(1) } }),
    aggregate: () => db.collection('things').aggregate().match({ from: 'function' }).count('total').end(),
    upload: () => cloud.uploadFile({ cloudPath: 'of-function.txt', fileContent: Buffer.from('x') }),
    nested: () => event.nested ? null : cloud.callFunction({ name: 'inside', data: { nested: true } }),
    check: () => cloud.openapi.security.msgSecCheck({ content: 'tea', version: 2, scene: 1, openid: cloud.getWXContext().OPENID }),
    code: () => cloud.openapi.wxacode.getUnlimited({ scene: 'a=1' }),
    missing: () => db.collection('nothing').get(),
  }
  for (const name of Object.keys(tries)) {
    try { tried[name] = await tries[name]() } catch (error) { tried[name] = { errCode: error.errCode, errMsg: error.errMsg } }
  }
  if (tried.code.buffer) tried.code = { contentType: tried.code.contentType, bytes: tried.code.buffer.length }
  return { context: cloud.getWXContext(), tried }
}`

describe('wx-server-sdk', () => {
  it('knows who calls, and may do everything', async () => {
    await stage.deploy('inside', { 'index.js': FUNCTION, 'package.json': '{"dependencies":{"wx-server-sdk":"4.0.2"}}' })
    const { cloud } = await stage.phone('carol')
    const { result } = (await cloud.callFunction({ name: 'inside' })) as { result: Sdk }
    expect(result.context).toMatchObject({
      OPENID: expect.stringMatching(/^o/),
      APPID: stage.report.appId,
      ENV: 'teahouse',
      SOURCE: 'wx_client',
    })
    expect(result.tried).toMatchObject({
      add: { errMsg: 'collection.add:ok' },
      list: { data: [{ from: 'function' }] },
      update: { stats: { updated: 1 } },
      aggregate: { list: [{ total: 1 }] },
      upload: { fileID: 'cloud://teahouse.cloud/of-function.txt' },
      check: { errCode: 0 },
      code: { contentType: expect.stringMatching(/^image/) },
      missing: { errCode: -502005 },
    })
    // A function that calls another one does so for its own caller.
    expect(result.tried.nested.result.context.OPENID).toBe(result.context.OPENID)
  }, 120_000)
})
