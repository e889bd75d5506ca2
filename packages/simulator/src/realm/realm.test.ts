/** A whole project's logic in a Node realm. */
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type MockSupabase, startMockSupabase } from '../testing/mock-supabase.ts'
import { until } from '../testing/until.ts'
import { RealmMemory } from './node-host.ts'
import { createRealm, type Realm, type RealmOptions } from './realm.ts'

const projectDir = fileURLToPath(new URL('../../fixtures/features', import.meta.url))

interface TestPage {
  route: string
  data: Record<string, unknown>
  onInput(event: object): void
  send(): Promise<void>
  choose(): void
}

let server: MockSupabase
beforeAll(async () => {
  server = await startMockSupabase()
})
afterAll(() => server.stop())

const open = async (options: RealmOptions = {}): Promise<Realm> => {
  const realm = await createRealm({ projectDir, ...options })
  onTestFinished(() => realm.close())
  return realm
}
const pagesOf = (realm: Realm) => realm.getCurrentPages() as TestPage[]
const logOf = (realm: Realm) => (realm.getApp() as { globalData: { log: string[] } }).globalData.log

describe('the life-cycle', () => {
  test('launches, opens the entry page and navigates', async () => {
    const realm = await open()
    realm.launch()
    expect(logOf(realm)).toEqual(['launch pages/index/index', 'show', 'index load {}', 'index show', 'index ready'])
    await realm.evaluate(
      `wx.navigateTo({ url: '/pages/detail/detail?id=1' }).then(({ eventChannel }) => eventChannel.emit('hello', 'you'))`,
    )
    expect(pagesOf(realm).map(({ route }) => route)).toEqual(['pages/index/index', 'pages/detail/detail'])
    expect(pagesOf(realm)[1]?.data).toEqual({ query: 'hello you' })
    await realm.evaluate('wx.navigateBack()')
    expect(logOf(realm).slice(-3)).toEqual(['detail load', 'detail unload', 'index show'])
  })

  test('a page finds itself on the stack in its onLoad, and one that leaves there is shown and hidden in order', async () => {
    const realm = await open()
    realm.launch('pages/detail/detail?redirect=1')
    await until(() => pagesOf(realm)[0]?.route === 'pages/list/list', 'the redirection')
    expect(logOf(realm).slice(2)).toEqual(['detail load', 'detail is on the stack', 'detail unload'])
  })

  test('the stack holds ten pages', async () => {
    const realm = await open()
    realm.launch()
    const open10 = `(async () => {
      const results = []
      for (let count = 0; count < 10; count++)
        results.push(await wx.navigateTo({ url: '/pages/list/list' }).then(() => 'ok', (error) => error.errMsg))
      return results
    })()`
    const results = (await realm.evaluate(open10)) as string[]
    expect(results.slice(8)).toEqual(['ok', 'navigateTo:fail webview count limit exceed'])
    await realm.evaluate('wx.navigateBack({ delta: 99 })')
    expect(pagesOf(realm)).toHaveLength(1)
  })

  test('hides, is suspended with its timers, and shows again', async () => {
    const realm = await open()
    realm.controls.setClock(0)
    realm.launch()
    realm.evaluate(`ticks = 0; setInterval(() => { ticks++ }, 1000)`)
    realm.controls.goBackground()
    await realm.controls.advance(10_000)
    expect(realm.controls.state).toBe('suspended')
    expect(realm.evaluate('ticks')).toBe(5)
    realm.controls.goForeground()
    await realm.controls.advance(0)
    expect(logOf(realm).slice(-4)).toEqual(['index hide', 'hide', 'show', 'index show'])
    expect(realm.evaluate('[Date.now(), new Date().getTime()]')).toEqual([10_000, 10_000])
  })

  test('a page that is not there', async () => {
    const realm = await open()
    realm.launch('pages/none/none')
    expect(pagesOf(realm).map(({ route }) => route)).toEqual(['pages/index/index'])
  })
})

test('a page talks to a server, with pictures that the test picks', async () => {
  const png = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAC0lEQVR4nGNggAEAAA4AAQm1l8sAAAAASUVORK5CYII=',
    'base64',
  )
  const realm = await open({
    user: 'alice',
    answers: { chooseFiles: () => [{ name: 'x.png', type: 'image/png', bytes: png }] },
  })
  realm.launch(`pages/network/network?server=${encodeURIComponent(server.url)}`)
  const [page] = pagesOf(realm)
  await until(() => page?.data['status'] === 'SUBSCRIBED', 'the subscription')
  page?.onInput({ detail: { value: '茶' } })
  await page?.send()
  await until(() => JSON.stringify(page?.data['rows']).includes('茶'), 'the row')
  page?.choose()
  await until(() => String(page?.data['out']).startsWith('200 '), 'the upload')
  expect(page?.data['out']).toContain('3x2 100')
  expect(page?.data['absent']).toBe('undefined undefined undefined ReferenceError')
})

test('a video that is chosen comes with its first picture, where the host has one', async () => {
  const thumb = new Uint8Array([0xff, 0xd8, 0xff, 1])
  const video = { name: 'v.mp4', type: 'video/mp4', bytes: Buffer.from('film'), duration: 3 }
  const realm = await open({ answers: { chooseFiles: () => [{ ...video, thumb }, video] } })
  const files = await realm.evaluate(`new Promise((resolve, fail) => wx.chooseMedia({
    success: ({ tempFiles }) => resolve(tempFiles.map(({ fileType, duration, thumbTempFilePath: path }) =>
      [fileType, duration, path && path.slice(-4), path && wx.getFileSystemManager().statSync(path).size])),
    fail,
  }))`)
  expect(JSON.parse(JSON.stringify(files))).toEqual([
    ['video', 3, '.jpg', 4],
    ['video', 3, '', ''],
  ])
})

test('storage outlives a realm when its memory is kept, and users are apart', async () => {
  const memory = new RealmMemory()
  const first = await open({ memory })
  first.evaluate(
    `wx.setStorageSync('token', { a: new Date(0).getTime() }); wx.getFileSystemManager().writeFileSync(wx.env.USER_DATA_PATH + '/a', 'kept')`,
  )
  const second = await open({ memory })
  expect(second.evaluate(`wx.getStorageSync('token').a`)).toBe(0)
  expect(second.evaluate(`wx.getFileSystemManager().readFileSync(wx.env.USER_DATA_PATH + '/a', 'utf8')`)).toBe('kept')
  expect((await open()).evaluate(`wx.getStorageSync('token')`)).toBe('')
})

test('what the app gets belongs to its realm', async () => {
  const realm = await open()
  realm.evaluate(`wx.setStorageSync('list', [1])`)
  expect(realm.evaluate(`wx.getStorageSync('list') instanceof Array`)).toBe(true)
  expect(realm.evaluate(`wx.login() instanceof Promise`)).toBe(true)
  expect(await realm.evaluate(`wx.base64ToArrayBuffer('AQI=') instanceof ArrayBuffer`)).toBe(true)
})

test('errors reach the app and the log', async () => {
  const realm = await open()
  realm.launch()
  realm.evaluate(`setTimeout(() => { throw new Error('lost') }, 0)`)
  await until(() => logOf(realm).includes('error lost'), 'App.onError')
  expect(realm.logs.some(({ level, parts }) => level === 'error' && String(parts[0]).includes('lost'))).toBe(true)
})
