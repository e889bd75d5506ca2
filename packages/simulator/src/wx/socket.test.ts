/** SocketTask against a scripted network. */
import { expect, test } from 'vitest'
import { outcome, wxFunction } from '../testing/call-wx.ts'
import { type FakeHost, fakeHost } from '../testing/fake-host.ts'
import { until } from '../testing/until.ts'
import { createCore } from './create.ts'
import type { SettingsInput } from './settings.ts'

interface Task {
  send(options: object): void
  close(options?: object): void
  onOpen(run: (result: object) => void): void
  onMessage(run: (result: { data: unknown }) => void): void
  onClose(run: (result: object) => void): void
  onError(run: (result: object) => void): void
  readonly readyState?: number
}

const url = 'wss://example.com/socket'

function start(settings: SettingsInput = {}) {
  const host = fakeHost()
  const core = createCore(host, settings)
  const connect = (options: object = {}) => {
    const task = wxFunction(core.wx, 'connectSocket')({ url, ...options }) as Task
    const events: unknown[] = []
    task.onOpen((result) => events.push(['open', result]))
    task.onMessage(({ data }) => events.push(['message', data]))
    task.onClose((result) => events.push(['close', result]))
    task.onError((result) => events.push(['error', result]))
    return { task, events }
  }
  return { ...core, host, connect }
}

const opened = async (host: FakeHost, index = 0) => {
  const socket = await until(() => host.sockets[index], 'the socket')
  socket.events.open([['Upgrade', 'websocket']])
  return socket
}

test('a task opens, carries text and bytes, and closes', async () => {
  const { host, connect } = start()
  const { task, events } = connect({ protocols: ['v1'], header: { a: 'b' } })
  const socket = await opened(host)
  expect(socket.call.protocols).toEqual(['v1'])
  await until(() => events.length === 1, 'open')
  task.send({ data: '茶' })
  task.send({ data: Uint8Array.of(1, 2).buffer })
  expect(socket.sent).toEqual(['茶', Uint8Array.of(1, 2)])
  socket.events.message('hello')
  socket.events.message(Uint8Array.of(3))
  task.close({ code: 4000, reason: 'bye' })
  expect(socket.closed).toEqual({ code: 4000, reason: 'bye' })
  socket.events.close(4000, 'bye')
  await until(() => events.length === 4, 'close')
  expect(events).toEqual([
    ['open', { header: { Upgrade: 'websocket' }, profile: {} }],
    ['message', 'hello'],
    ['message', Uint8Array.of(3).buffer],
    ['close', { code: 4000, reason: 'bye' }],
  ])
})

test('the task has no off functions; readyState is there unless switched off', async () => {
  const usual = start()
  const { task } = usual.connect()
  expect(Object.keys(task).sort()).toEqual(['close', 'onClose', 'onError', 'onMessage', 'onOpen', 'send'])
  expect(task.readyState).toBe(0)
  const strict = start({ socketReadyState: false })
  expect(strict.connect().task.readyState).toBeUndefined()
})

test('sending too early, closing with a wrong code', async () => {
  const { connect } = start()
  const { task } = connect()
  const result = (run: (options: object) => void, options: object) => new Promise((fail) => run({ ...options, fail }))
  expect(await result((options) => task.send(options), { data: 'x' })).toEqual({
    errMsg: 'sendSocketMessage:fail SocketTask.readyState is not OPEN',
  })
  expect(await result((options) => task.close(options), { code: 1001 })).toEqual({
    errMsg: 'closeSocket:fail The code must be either 1000, or between 3000 and 4999. 1001 is neither.',
  })
})

test('a sixth socket is refused, whatever the state of the five', async () => {
  const { host, connect, wx } = start()
  for (let count = 0; count < 5; count++) connect()
  expect(await outcome(wx, 'connectSocket', { url })).toEqual({ errMsg: 'connectSocket:fail exceed max task count' })
  const socket = await opened(host)
  socket.events.close(1000, '')
  await until(() => host.sockets.length === 5, 'all five')
  expect(await outcome(wx, 'connectSocket', { url })).toMatchObject({ errMsg: 'connectSocket:ok' })
})

test('a failed handshake is an error and then a close', async () => {
  const { host, connect } = start()
  const { events } = connect()
  const socket = await until(() => host.sockets[0], 'the socket')
  socket.events.error('Unexpected server response: 401')
  await until(() => events.length === 2, 'both events')
  expect(events).toEqual([
    ['error', { errMsg: 'Unexpected server response: 401' }],
    ['close', { code: 1006, reason: 'abnormal closure' }],
  ])
})

test('sockets are cut five seconds into the background, and the news waits for the foreground', async () => {
  const { host, connect, phone } = start()
  phone.clock.set(0)
  const { events } = connect()
  const socket = await opened(host)
  await until(() => events.length === 1, 'open')
  phone.goBackground()
  await phone.clock.advance(4999)
  expect(socket.terminated).toBe(false)
  await phone.clock.advance(1)
  expect(phone.state).toBe('suspended')
  expect(socket.terminated).toBe(true)
  expect(events).toHaveLength(1)
  phone.goForeground()
  await until(() => events.length === 3, 'the close')
  expect(events.slice(1)).toEqual([
    ['error', { errMsg: 'interrupted' }],
    ['close', { code: 1006, reason: 'abnormal closure' }],
  ])
})

test('losing the network cuts the socket at once', async () => {
  const { host, connect, phone, wx } = start()
  const { events } = connect()
  await opened(host)
  await until(() => events.length === 1, 'open')
  const changes: unknown[] = []
  wxFunction(wx, 'onNetworkStatusChange')
  ;(wx['onNetworkStatusChange'] as (run: (change: unknown) => void) => void)((change) => changes.push(change))
  phone.setNetwork('none')
  await until(() => events.length === 3, 'the close')
  expect(changes).toEqual([{ isConnected: false, networkType: 'none' }])
  expect(await outcome(wx, 'request', { url: 'https://a.b/' })).toMatchObject({
    errMsg: 'request:fail net::ERR_INTERNET_DISCONNECTED',
  })
})
