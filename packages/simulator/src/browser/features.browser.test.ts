/** The feature fixture in Chromium: templates, components, events, forms, navigation and the network. */
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Simulator, startSimulator } from '../serve/server.ts'
import { launchBrowser, openPhone, type Phone } from '../testing/browser.ts'
import { type MockSupabase, startMockSupabase } from '../testing/mock-supabase.ts'
import { until } from '../testing/until.ts'

const dir = fileURLToPath(new URL('../../fixtures/features', import.meta.url))
let browser: Browser
let simulator: Simulator
let server: MockSupabase

beforeAll(async () => {
  ;[browser, simulator, server] = await Promise.all([
    launchBrowser(),
    startSimulator({ dir, watch: false }),
    startMockSupabase(),
  ])
})
afterAll(async () => {
  await browser.close()
  await simulator.stop()
  await server.stop()
})

const textOf = (phone: Phone, selector: string) => phone.page.locator(selector).innerText()
const shows = (phone: Phone, selector: string, text: string) =>
  until(async () => (await textOf(phone, selector)) === text, `${selector} to show ${text}`)
const open = (path = '', user = 'alice') => openPhone(browser, simulator.url, { path, user })

describe('templates', () => {
  test('bindings, wxs, conditions, loops, template and include', async () => {
    const phone = await open()
    expect(await textOf(phone, '#greeting')).toBe('你好，世界')
    expect(await textOf(phone, '#wxs')).toBe('<TEA> Array 5')
    expect(await textOf(phone, '#branch')).toBe('A')
    expect(await phone.page.locator('.cell').allInnerTexts()).toEqual(['0-green', '1-black'])
    expect(await textOf(phone, '#template-item')).toBe('7: green')
    expect(await textOf(phone, '#included')).toBe('included 你好，世界')
    expect(await textOf(phone, '#slot-head')).toBe('head')
    await phone.close()
  })

  test('setData follows paths and drops what JSON cannot say', async () => {
    const phone = await open()
    await phone.page.locator('#change').tap()
    await shows(phone, '#branch', 'B')
    expect(await phone.page.locator('.cell').allInnerTexts()).toEqual(['0-green', '1-oolong'])
    expect(await textOf(phone, '#path')).toBe('z v')
    const data = await phone.page.evaluate(() => {
      const [page] = Reflect.get(window, '__simulator').getCurrentPages()
      return { when: page.data.when, dropped: 'dropped' in page.data }
    })
    expect(data).toEqual({ when: '1970-01-01T00:00:00.000Z', dropped: false })
    expect(phone.complaints).toContain('Setting data field "dropped" to function is invalid.')
    await phone.close()
  })
})

describe('events', () => {
  test('taps carry dataset and mark, catch stops them, bind lets them rise', async () => {
    const phone = await open()
    await phone.page.locator('#events', { hasText: 'image 54;' }).waitFor()
    await phone.page.locator('.cell').nth(1).tap()
    await phone.page.locator('#caught').tap()
    await phone.page.locator('#bubbled').tap()
    await shows(phone, '#events', 'image 54;pick 2 1 tap;inner caught;inner bubbled;outer;')
    await phone.close()
  })

  test('a component event bubbles out, a two-way binding comes back', async () => {
    const phone = await open()
    await phone.page.locator('info-card wx-button').tap()
    await phone.page.locator('#events', { hasText: 'poked tea yes;' }).waitFor()
    await phone.page.locator('#counter').tap()
    await shows(phone, '#count', '4')
    await phone.page.locator('#model input').fill('oolong')
    await shows(phone, '#wxs', '<OOLONG> Array 5')
    await phone.close()
  })

  test('capture, mut-bind and capture-catch, in a page made by Component()', async () => {
    const phone = await open('pages/events/events?q=1')
    await shows(phone, '#log', 'load 1;width 37.5;')
    await phone.page.locator('#inner').tap()
    await shows(phone, '#log', 'load 1;width 37.5;capture inner;inner inner;outer inner;')
    await phone.page.locator('#never').tap()
    await shows(phone, '#log', 'load 1;width 37.5;capture inner;inner inner;outer inner;stopped never;')
    await phone.page.locator('#keyed input').fill('x')
    await until(async () => (await phone.page.locator('#keyed input').inputValue()) === '', 'the cleared field')
    await phone.close()
  })

  test('generics, external classes and shared styles', async () => {
    const phone = await open('pages/events/events')
    expect(await textOf(phone, '#plain')).toBe('count 5')
    expect(await phone.page.locator('#generic wx-button').innerText()).toBe('poke')
    const look = await phone.page
      .locator('#plain wx-view')
      .first()
      .evaluate((element) => {
        const { backgroundColor, fontSize } = getComputedStyle(element)
        return [backgroundColor, fontSize]
      })
    expect(look).toEqual(['rgb(255, 0, 0)', '20px'])
    await phone.close()
  })

  test('a phone number button asks the hook', async () => {
    const phone = await open('', 'bob')
    await phone.page.locator('#phone').tap()
    await phone.page.locator('#events', { hasText: /wxphone:bob:\d+;/ }).waitFor()
    await phone.close()
  })
})

describe('styles', () => {
  test('rpx, isolation of component classes, :host and the page element', async () => {
    const phone = await open()
    const style = (selector: string, name: string) =>
      phone.page
        .locator(selector)
        .first()
        .evaluate((element, key) => getComputedStyle(element).getPropertyValue(key), name)
    expect(await style('.bar', 'width')).toBe('187.5px')
    expect(await style('#greeting', 'font-size')).toBe('20px')
    expect(await style('#greeting', 'color')).toBe('rgb(51, 51, 51)')
    expect(await style('info-card [class*="--title"]', 'color')).toBe('rgb(255, 0, 0)')
    expect(await style('info-card', 'display')).toBe('block')
    expect(await style('wx-page', 'background-color')).toBe('rgb(247, 247, 247)')
    expect(await style('#count', 'color')).toBe('rgb(0, 0, 255)')
    await phone.close()
  })
})

describe('navigation', () => {
  test('to a subpackage page and back, with the life-cycle in order', async () => {
    const phone = await open()
    await phone.page.locator('#to-detail').tap()
    await shows(phone, '#query', '{"id":"9","name":"%E8%8C%B6"}')
    const fixed = await phone.page.locator('.fixed').boundingBox()
    expect(fixed).toMatchObject({ y: 617, height: 50 })
    await phone.page.locator('.sim-page:visible .sim-back').click()
    await phone.page.locator('#greeting').waitFor({ state: 'visible' })
    const log = await phone.page.evaluate(() => Reflect.get(window, '__simulator').getApp().globalData.log)
    expect(log).toEqual([
      'launch pages/index/index',
      'show',
      'card attached',
      'index load {}',
      'index show',
      'card page show',
      'index ready',
      'index hide',
      'card page hide',
      'detail load',
      'detail unload',
      'index show',
      'card page show',
    ])
    await phone.close()
  })

  test('tabs keep their pages and refusals have the platform’s words', async () => {
    const phone = await open()
    await phone.page.locator('#change').tap()
    await phone.page.locator('.sim-tab').nth(1).click()
    await phone.page.locator('[data-page="pages/forms/forms"]').waitFor({ state: 'visible' })
    await phone.page.locator('.sim-tab').nth(0).click()
    await shows(phone, '#branch', 'B')
    const refuse = (name: string, options: object) =>
      phone.page.evaluate(
        ([api, argument]) =>
          Reflect.get(window, '__simulator')
            .wx[api](argument)
            .catch((error: { errMsg: string }) => error.errMsg),
        [name, options] as const,
      )
    expect(await refuse('navigateTo', { url: '/pages/forms/forms' })).toBe(
      'navigateTo:fail can not navigateTo a tabbar page',
    )
    expect(await refuse('navigateTo', { url: '/pages/none/none' })).toBe(
      'navigateTo:fail page "pages/none/none" is not found',
    )
    expect(await refuse('switchTab', { url: '/pages/list/list' })).toBe(
      'switchTab:fail can not switch to no-tabBar page',
    )
    expect(await refuse('navigateBack', {})).toBe('navigateBack:fail cannot navigate back at first page.')
    await phone.close()
  })
})

describe('network', () => {
  test('two users of an unmodified client see each other’s messages, and a picture is chosen and uploaded', async () => {
    const path = `pages/network/network?server=${encodeURIComponent(server.url)}`
    const [alice, bob] = await Promise.all([open(path, 'alice'), open(path, 'bob')])
    await shows(alice, '#status', 'SUBSCRIBED')
    await shows(bob, '#status', 'SUBSCRIBED')
    expect(await textOf(alice, '#absent')).toBe('undefined undefined undefined ReferenceError')
    await alice.page.locator('#text input').fill('你好')
    await alice.page.locator('#send').tap()
    await bob.page.locator('.message', { hasText: '你好' }).waitFor()
    expect(await alice.page.locator('#text input').inputValue()).toBe('')
    await bob.page.locator('#text input').fill('茶')
    await bob.page.locator('#text input').press('Enter')
    await alice.page.locator('.message', { hasText: '茶' }).waitFor()

    const chooser = alice.page.waitForEvent('filechooser')
    await alice.page.locator('#choose').tap()
    await (await chooser).setFiles(`${dir}/mini/images/home.png`)
    await alice.page.locator('#out', { hasText: '200 {"Key":"images/a.png"} 54x54 100' }).waitFor()
    const upload = server.seen.find((one) => one.url.startsWith('/storage'))
    expect(upload?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
    expect(upload?.body.toString()).toContain('name="note"\r\n\r\n说明')
    await until(
      () => alice.page.locator('#picture img').evaluate((image) => (image as HTMLImageElement).naturalWidth === 54),
      'the chosen picture to show',
    )
    await Promise.all([alice.close(), bob.close()])
  })
})
