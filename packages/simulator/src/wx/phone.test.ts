/** Background and foreground, timers, injected failures and the clock. */
import { expect, test, vi } from 'vitest'
import { outcome } from '../testing/call-wx.ts'
import { fakeHost } from '../testing/fake-host.ts'
import { until } from '../testing/until.ts'
import { createCore } from './create.ts'
import { createDate, createTimers } from './timers.ts'

function start() {
  const host = fakeHost()
  const core = createCore(host)
  core.phone.clock.set(1_000)
  return { host, ...core, timers: createTimers(core.phone) }
}

test('timers fire in order as the clock advances, intervals again and again', async () => {
  const { phone, timers } = start()
  const calls: string[] = []
  timers.setTimeout(() => calls.push('b'), 20)
  timers.setTimeout((name: string) => calls.push(name), 10, 'a')
  const ticking = timers.setInterval(() => calls.push('tick'), 15)
  await phone.clock.advance(31)
  timers.clearInterval(ticking)
  await phone.clock.advance(100)
  expect(calls).toEqual(['a', 'tick', 'b', 'tick'])
  const SimulatedDate = createDate(phone.clock)
  expect(SimulatedDate.now()).toBe(1_131)
  expect(new SimulatedDate().getTime()).toBe(1_131)
  expect(new SimulatedDate(5)).toBeInstanceOf(Date)
})

test('a suspended app has no timers; an overdue one runs once on return', async () => {
  const { phone, timers } = start()
  const run = vi.fn()
  timers.setInterval(run, 1_000)
  phone.goBackground()
  await phone.clock.advance(60_000)
  expect(run).toHaveBeenCalledTimes(5)
  phone.goForeground()
  await phone.clock.advance(0)
  expect(run).toHaveBeenCalledTimes(6)
})

test('a running request is interrupted after five seconds, new ones are refused, and the callbacks wait', async () => {
  const { phone, wx, host } = start()
  const order: string[] = []
  phone.onShow.on(() => order.push('show'))
  const running = outcome(wx, 'request', { url: 'https://a.b/' }).then((result) => {
    order.push('fail')
    return result
  })
  phone.goBackground()
  await phone.clock.advance(5_000)
  expect(host.exchanges[0]?.aborted).toBe(true)
  const late = outcome(wx, 'request', { url: 'https://a.b/' })
  expect(order).toEqual([])
  phone.goForeground()
  expect(await running).toEqual({ errMsg: 'request:fail interrupted', errno: 600003 })
  expect(await late).toEqual({ errMsg: 'request:fail interrupted', errno: 600003 })
  await until(() => order.includes('show'), 'onAppShow')
  expect(order).toEqual(['fail', 'show'])
})

test('a short visit to the background breaks nothing', async () => {
  const { phone, wx, host } = start()
  const running = outcome(wx, 'request', { url: 'https://a.b/' })
  phone.goBackground()
  await phone.clock.advance(4_999)
  phone.goForeground()
  await phone.clock.advance(60_000 - 5_000)
  host.exchanges[0]?.answer(200, '1')
  expect(await running).toMatchObject({ data: 1 })
})

test('half an hour away ends the app', async () => {
  const { phone } = start()
  const ended = vi.fn()
  phone.hooks.destroy = ended
  phone.goBackground()
  await phone.clock.advance(5_000 + 30 * 60_000)
  expect(phone.state).toBe('destroyed')
  expect(ended).toHaveBeenCalledOnce()
})

test('failures are used up in order', async () => {
  const { phone, wx } = start()
  phone.failNext('login', { reason: 'first', errno: 1 })
  phone.failNext('login', { reason: 'second' })
  expect(await outcome(wx, 'login')).toEqual({ errMsg: 'login:fail first', errno: 1 })
  expect(await outcome(wx, 'login')).toEqual({ errMsg: 'login:fail second' })
  const { code } = await outcome(wx, 'login')
  expect(code).toMatch(/^wxcode:alice:\d+$/)
  expect((await outcome(wx, 'login'))['code']).not.toBe(code)
})

test('an exception in a callback reaches onError and nobody else', async () => {
  const { phone, wx, host } = start()
  const errors: unknown[] = []
  phone.onError.on((text: unknown) => errors.push(text))
  const request = wx['getStorageInfo'] as (options: object) => void
  request({
    success: () => {
      throw new Error('mine')
    },
  })
  await until(() => errors.length > 0, 'onError')
  expect(String(errors[0])).toMatch(/^mine\n/)
  expect(host.logs.some(({ level }) => level === 'error')).toBe(true)
})
