/** The built-in components in Chromium: forms, dialogs, lists, and a published component library. */
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Simulator, startSimulator } from '../serve/server.ts'
import { launchBrowser, openPhone, type Phone } from '../testing/browser.ts'
import { until } from '../testing/until.ts'

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url))
let browser: Browser
let features: Simulator
let tdesign: Simulator

beforeAll(async () => {
  ;[browser, features, tdesign] = await Promise.all([
    launchBrowser(),
    startSimulator({ dir: fixture('features'), watch: false }),
    startSimulator({ dir: fixture('tdesign'), watch: false }),
  ])
})
afterAll(async () => {
  await browser.close()
  await features.stop()
  await tdesign.stop()
})

const has = (phone: Phone, selector: string, text: string | RegExp) =>
  phone.page.locator(selector, { hasText: text }).first().waitFor()
const box = async (phone: Phone, selector: string) => {
  const found = await phone.page.locator(selector).first().boundingBox()
  if (!found) throw new Error(`${selector} has no box`)
  return found
}

describe('forms', () => {
  const open = () => openPhone(browser, features.url, { path: 'pages/forms/forms' })

  test('submit collects every named control', async () => {
    const phone = await open()
    const { page } = phone
    await page.locator('#name input').fill('茶馆老板娘好')
    await page.locator('#secret input').pressSequentially('abc')
    await until(async () => (await page.locator('#secret input').inputValue()) === 'ABC', 'the handler’s value')
    await page.locator('#switch').tap()
    await page
      .locator('label', { hasText: '红茶' })
      .or(page.locator('wx-label', { hasText: '红茶' }))
      .tap()
    await page.locator('wx-label', { hasText: '小' }).tap()
    await page.locator('#picker').tap()
    await page.locator('.sim-picker-row', { hasText: '红茶' }).click()
    await page.locator('.sim-picker-confirm').click()
    await has(phone, '#picker', '选中 红茶')
    await page.locator('#submit').tap()
    const values = {
      name: '茶馆老板娘好',
      secret: 'ABC',
      about: '',
      on: false,
      teas: ['绿茶', '红茶'],
      size: '小',
      strength: 30,
      tea: 1,
    }
    await has(phone, '#notes', `submit ${JSON.stringify(values)}`)
    await page.locator('#reset').tap()
    await has(phone, '#notes', 'reset')
    expect(await page.locator('#name input').inputValue()).toBe('')
    await phone.close()
  })

  test('dates know the lengths of months', async () => {
    const phone = await open()
    await phone.page.locator('#date').tap()
    expect(await phone.page.locator('.sim-picker-column').nth(2).locator('.sim-picker-row').count()).toBe(29)
    await phone.page.locator('.sim-picker-row', { hasText: '2023年' }).click()
    await phone.page.locator('.sim-picker-confirm').click()
    await has(phone, '#notes', 'change "2023-02-28"')
    await phone.close()
  })

  test('toast, modal with input and action sheet appear in the phone and answer', async () => {
    const phone = await open()
    const { page } = phone
    await page.locator('#toast').tap()
    await has(phone, '.sim-toast', '已保存')
    await page.locator('.sim-toast').waitFor({ state: 'detached' })
    await page.locator('#modal').tap()
    await page.locator('.sim-modal-input').fill('好')
    await page.locator('.sim-modal-confirm').click()
    await has(phone, '#notes', 'modal true 好')
    await page.locator('#sheet').tap()
    await page.locator('.sim-sheet-item', { hasText: '乙' }).click()
    await has(phone, '#notes', 'sheet 1')
    await page.locator('#sheet').tap()
    await page.locator('.sim-sheet-cancel').click()
    await has(phone, '#notes', 'showActionSheet:fail cancel')
    await phone.close()
  })

  test('what is unknown or not simulated says so', async () => {
    const phone = await open()
    expect(phone.complaints).toContain('<canvas> is not simulated')
    expect(phone.complaints).toContain('<not-a-component> is not a known component in pages/forms/forms')
    expect(await phone.page.evaluate(() => Reflect.get(window, 'hacked'))).toBeUndefined()
    expect(await phone.page.evaluate(() => typeof Reflect.get(window, '__simulator').wx.createBLEConnection)).toBe(
      'undefined',
    )
    expect(phone.complaints).toContain('wx.createBLEConnection is not there: the simulator does not know this function')
    await phone.close()
  })
})

describe('lists', () => {
  const open = () => openPhone(browser, features.url, { path: 'pages/list/list' })

  test('scroll-into-view follows what the same setData added, and the edges report', async () => {
    const phone = await open()
    await phone.page.locator('#more').tap()
    await until(async () => {
      const [inner, outer] = [await box(phone, '#line-10'), await box(phone, '#chat')]
      return inner.y + inner.height <= outer.y + outer.height + 1
    }, 'the last line to be in view')
    await has(phone, '#log', 'lower;')
    await phone.page.locator('#chat').evaluate((element) => element.scrollTo({ top: 0 }))
    await has(phone, '#log', 'upper;')
    await phone.close()
  })

  test('the page reaches its bottom and is pulled down', async () => {
    const phone = await open()
    await phone.page.locator('.sim-scroll').evaluate((element) => element.scrollTo({ top: element.scrollHeight }))
    await has(phone, '#log', 'bottom;')
    await phone.page.evaluate(() => Reflect.get(window, '__simulator').wx.startPullDownRefresh())
    await has(phone, '#log', 'refresh;')
    await phone.page.evaluate(() => Reflect.get(window, '__simulator').wx.pageScrollTo({ scrollTop: 0, duration: 0 }))
    await until(() => phone.page.locator('.sim-scroll').evaluate((element) => element.scrollTop === 0), 'the top')
    await phone.close()
  })

  test('a swiper turns under a finger', async () => {
    const phone = await open()
    await phone.page.locator('#swiper').evaluate((element) => {
      const touch = (x: number) => new Touch({ identifier: 1, target: element, clientX: x, clientY: 100 })
      const send = (type: string, x: number) =>
        element.dispatchEvent(
          new TouchEvent(type, {
            bubbles: true,
            cancelable: true,
            touches: type === 'touchend' ? [] : [touch(x)],
            changedTouches: [touch(x)],
          }),
        )
      send('touchstart', 300)
      send('touchmove', 100)
      send('touchend', 100)
    })
    await has(phone, '#log', 'slide 1 touch')
    await phone.close()
  })

  test('a selector query measures within the page', async () => {
    const phone = await open()
    const measured = await phone.page.evaluate(
      () =>
        new Promise((resolve) => {
          const query = Reflect.get(window, '__simulator').wx.createSelectorQuery()
          query.select('#box').boundingClientRect()
          query.selectAll('.line').fields({ id: true, size: true })
          query.selectViewport().scrollOffset()
          query.exec(resolve)
        }),
    )
    expect(measured).toMatchObject([
      { id: 'box', dataset: { kind: 'b' }, width: 100, height: 50 },
      { 0: { id: 'line-0', height: 30 } },
      { scrollTop: 0 },
    ])
    await phone.close()
  })
})

test('components of tdesign-miniprogram render and answer', async () => {
  const phone = await openPhone(browser, tdesign.url)
  const { page } = phone
  await page.getByText('单行标题').tap()
  await has(phone, '#log', 'cell;')
  await page.locator('.t-switch').tap()
  await has(phone, '#log', 'switch true;')
  await page.locator('.t-stepper__plus').tap()
  await has(phone, '#log', 'step 2;')
  await page.locator('.t-input input').fill('茶')
  await has(phone, '#log', 'typed 茶;')
  await page.locator('wx-button', { hasText: '打开对话框' }).tap()
  await page.getByText('内容').waitFor()
  await page.locator('wx-button', { hasText: '确认' }).tap()
  await has(phone, '#log', 'confirmed;')
  const color = await page
    .locator('wx-button', { hasText: '打开对话框' })
    .evaluate((element) => getComputedStyle(element).backgroundColor)
  expect(color).toBe('rgb(0, 82, 217)')
  await phone.close()
})
