/** The wire itself: handshakes, joins, presence, limits, broadcasts over HTTP, and everything that a client must not send. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { createTestDatabase, type TestDatabase } from '../../../../test/database.ts'
import { eventually, type RealtimeServer, startRealtimeServer } from '../../../../test/realtime.ts'
import { openWire, type Wire } from '../../../../test/realtime-wire.ts'

let database: TestDatabase
let server: RealtimeServer
const wires: Wire[] = []

const handshake = (query: string): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/realtime/v1/websocket?${query}`)
    socket.on('unexpected-response', (_request, response) => {
      let body = ''
      response.on('data', (part) => {
        body += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    socket.on('open', () => reject(new Error('it opened')))
    socket.on('error', () => {})
  })

const connect = async (key = server.keys.anonKey, base = server): Promise<Wire> => {
  const wire = await openWire(base, key)
  wires.push(wire)
  return wire
}

beforeAll(async () => {
  database = await createTestDatabase()
  server = await startRealtimeServer(database)
})
afterEach(async () => {
  for (const wire of wires.splice(0)) wire.socket.terminate()
})
afterAll(async () => {
  await server.stop()
  await database.drop()
})

describe('the handshake', () => {
  it.each([
    ['vsn=1.0.0', 401],
    ['apikey=&vsn=1.0.0', 401],
    ['apikey=nonsense&vsn=1.0.0', 401],
    ['apikey=sb_publishable_wrong&vsn=2.0.0', 401],
    ['apikey=x&vsn=3.0.0', 400],
  ])('refuses %s in HTTP and JSON', async (query, status) => {
    const answer = await handshake(query)
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.body)).toMatchObject({ message: expect.any(String) })
  })

  it('takes both kinds of keys', async () => {
    for (const key of [server.keys.anonKey, server.keys.publishableKey, server.keys.secretKey]) {
      expect(await (await connect(key)).join()).toMatchObject({ status: 'ok' })
    }
  })
})

describe('the socket', () => {
  it('answers heartbeats with an object', async () => {
    const wire = await connect()
    expect(await wire.ask('heartbeat', {}, { topic: 'phoenix' })).toEqual({ status: 'ok', response: {} })
  })

  it.each([
    ['an event nobody joined for', 'broadcast', {}, 'unmatched topic'],
    ['a join of a foreign topic', 'phx_join', { topic: 'room:1' }, 'unmatched topic'],
    ['a join without a name', 'phx_join', { topic: 'realtime:' }, 'TopicNameRequired'],
    ['a join with an endless name', 'phx_join', { topic: `realtime:${'x'.repeat(600)}` }, 'TopicNameRequired'],
    ['an unknown event of the phoenix topic', 'nonsense', { topic: 'phoenix' }, 'unmatched topic'],
  ])('answers %s with an error', async (_what, event, extra, reason) => {
    const answer = await (await connect()).ask(event, {}, extra)
    expect(answer).toMatchObject({ status: 'error', response: { reason: expect.stringContaining(reason) } })
  })

  it('answers an unknown event of a joined channel with an error', async () => {
    const wire = await connect()
    await wire.join()
    expect(await wire.ask('dance')).toMatchObject({
      status: 'error',
      response: { reason: 'UnhandledEventMessage: dance' },
    })
  })

  it.each([['not json'], ['[]'], ['{"topic":"a"}'], ['{"topic":{},"event":"x","ref":"1"}']])(
    'closes for %s, which nobody can be told about',
    async (text) => {
      const wire = await connect()
      wire.socket.send(text)
      await eventually(() => wire.code !== null, 'the close')
      expect(wire.code).toBe(1007)
    },
  )

  it('closes for bytes that are no message, and for messages that are too big', async () => {
    const wire = await connect()
    wire.socket.send(Buffer.from([9, 9, 9]))
    await eventually(() => wire.code === 1007, 'the close')
    const big = await connect()
    big.socket.send('x'.repeat(4 * 1024 * 1024))
    await eventually(() => big.code === 1009, 'the close')
  })

  it('tells a push with a wrong payload what is wrong', async () => {
    const wire = await connect()
    expect(await wire.ask('phx_join', 'nothing')).toMatchObject({
      status: 'error',
      response: { reason: expect.stringContaining('payload is an object') },
    })
    expect(await wire.join({ postgres_changes: 3 })).toMatchObject({
      status: 'error',
      response: { reason: expect.stringContaining('postgres_changes') },
    })
  })
})

describe('a channel', () => {
  it('is left with an answer and a close', async () => {
    const wire = await connect()
    await wire.join()
    expect(await wire.ask('phx_leave')).toEqual({ status: 'ok', response: {} })
    expect(await wire.next('phx_close')).toMatchObject({ ref: '1', payload: {} })
    expect(await wire.ask('phx_leave')).toEqual({ status: 'ok', response: {} })
  })

  it('is closed by a second join of its topic', async () => {
    const wire = await connect()
    await wire.join()
    expect(await wire.ask('phx_join', { config: {} }, { join_ref: '2' })).toMatchObject({ status: 'ok' })
    expect(await wire.next('phx_close')).toMatchObject({ ref: '1' })
    wire.send('phx_leave', {}, { join_ref: '1', ref: 'stale' })
    await wire.next('phx_reply', ({ ref }) => ref === 'stale')
    expect(
      await wire.ask('broadcast', { event: 'x', payload: {} }, { join_ref: '2' }).catch(() => 'no answer without ack'),
    ).toBe('no answer without ack')
  })

  it('sends the presence state after every join, to clients that do not ask for it', async () => {
    const wire = await connect()
    await wire.join()
    expect(await wire.next('presence_state')).toMatchObject({ payload: {} })
  })

  it('keeps several entries of one presence key apart, and drops each with its socket', async () => {
    const [watcher, phone, tablet] = [await connect(), await connect(), await connect()]
    await watcher.join()
    await watcher.next('presence_state')
    for (const device of [phone, tablet]) await device.join({ presence: { key: 'me' } })
    await phone.ask('presence', { type: 'presence', event: 'track', payload: { on: 'phone' } })
    await tablet.ask('presence', { type: 'presence', event: 'track', payload: { on: 'tablet', phx_ref: 'forged' } })
    const joins = async (device: string) =>
      watcher.next('presence_diff', ({ payload }) => JSON.stringify(payload.joins).includes(device))
    await joins('phone')
    expect(JSON.stringify(await joins('tablet'))).not.toContain('forged')
    const late = await connect()
    await late.join()
    expect((await late.next('presence_state')).payload).toMatchObject({
      me: { metas: [{ on: 'phone' }, { on: 'tablet' }] },
    })
    phone.socket.terminate()
    const left = await watcher.next('presence_diff', ({ payload }) => JSON.stringify(payload.leaves).includes('phone'))
    expect(JSON.stringify(left)).not.toContain('tablet')
    expect(await tablet.ask('presence', { type: 'presence', event: 'untrack' })).toMatchObject({ status: 'ok' })
    await watcher.next('presence_diff', ({ payload }) => JSON.stringify(payload.leaves).includes('tablet'))
  })

  it('refuses presence that is no object or too big, and events it does not know', async () => {
    const wire = await connect()
    await wire.join()
    for (const payload of [
      { event: 'track', payload: [] },
      { event: 'track', payload: { x: 'y'.repeat(70_000) } },
      { event: 'sit' },
      {},
    ]) {
      expect(await wire.ask('presence', { type: 'presence', ...payload })).toMatchObject({ status: 'error' })
    }
  })
})

describe('limits', () => {
  it('bound channels, joins and messages of one socket', async () => {
    const strict = await startRealtimeServer(database, {
      limits: { channels: 2, joinsPerSecond: 4, eventsPerSecond: 3, payloadBytes: 100 },
    })
    try {
      const wire = await connect(strict.keys.anonKey, strict)
      const join = (name: string) =>
        wire.ask('phx_join', { config: { broadcast: { ack: true } } }, { topic: `realtime:${name}` })
      expect(await join('a')).toMatchObject({ status: 'ok' })
      expect(await join('b')).toMatchObject({ status: 'ok' })
      expect(await join('c')).toMatchObject({
        response: { reason: expect.stringContaining('ChannelRateLimitReached') },
      })
      const push = (text: string) => wire.ask('broadcast', { event: 'x', payload: { text } }, { topic: 'realtime:a' })
      expect(await push('x'.repeat(200))).toMatchObject({
        response: { reason: expect.stringContaining('PayloadSizeExceeded') },
      })
      const answers = await Promise.all(Array.from({ length: 6 }, () => push('y')))
      expect(answers.some(({ status }) => status === 'error')).toBe(true)
      const more = await Promise.all(Array.from({ length: 6 }, (_, index) => join(`d${index}`)))
      expect(JSON.stringify(more)).toContain('ClientJoinRateLimitReached')
    } finally {
      await strict.stop()
    }
  })

  it('cut off a reader that does not read, while the others get everything', async () => {
    const small = await startRealtimeServer(database, {
      queue: { frames: 1000, bytes: 1_000_000 },
      limits: { eventsPerSecond: 1e6 },
    })
    try {
      const [slow, fast, sender] = [
        await connect(small.keys.anonKey, small),
        await connect(small.keys.anonKey, small),
        await connect(small.keys.anonKey, small),
      ]
      for (const wire of [slow, fast, sender]) await wire.join()
      slow.socket.pause()
      const payload = { text: 'x'.repeat(50_000) }
      const received = () => fast.seen.filter(({ event }) => event === 'broadcast').length
      for (let count = 0; count < 400; count++) {
        sender.send('broadcast', { type: 'broadcast', event: 'x', payload })
        // Never more under way than a reader that does read can take.
        await eventually(() => received() > count - 5, `message ${count - 5}`)
      }
      await eventually(() => received() === 400, 'four hundred messages')
      await eventually(() => small.sockets.size === 2, 'the slow one is cut off')
      slow.socket.resume()
      await eventually(() => slow.code !== null, 'the slow one learns it')
    } finally {
      await small.stop()
    }
  }, 30_000)
})

describe('broadcasts over HTTP', () => {
  const post = (path: string, body: unknown, key = server.keys.anonKey, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/realtime/v1/api/broadcast${path}`, {
      method: 'POST',
      headers: { apikey: key, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })

  it.each([
    [{}, 400],
    [[], 400],
    [{ messages: 'x' }, 400],
    [{ messages: [1] }, 400],
    [{ messages: [{ topic: '', event: 'x', payload: {} }] }, 400],
    [{ messages: [{ topic: 'a', event: 7, payload: {} }] }, 400],
    [{ messages: [{ topic: 'a', event: 'x' }] }, 400],
    ['{', 400],
    [{ messages: [{ topic: 'a', event: 'x', payload: {}, private: true }] }, 403],
    [{ messages: [] }, 202],
    [{ messages: [{ topic: 'a', event: 'x', payload: 'text' }] }, 202],
  ])('answer %j with %i', async (body, status) => {
    const response = await post('', body)
    expect(response.status).toBe(status)
    if (status >= 400) expect(await response.json()).toMatchObject({ error: expect.any(String) })
  })

  it('need a key', async () => {
    expect((await post('', { messages: [] }, 'wrong')).status).toBe(401)
  })

  it('reach protocol 1 clients as JSON, bytes too', async () => {
    const wire = await connect()
    await wire.join()
    expect((await post('/room/events/e%20v', { n: 1 })).status).toBe(202)
    expect((await wire.next('broadcast')).payload).toEqual({ type: 'broadcast', event: 'e v', payload: { n: 1 } })
    expect(
      (await post('/room/events/x', 'abc', server.keys.anonKey, { 'content-type': 'application/octet-stream' })).status,
    ).toBe(202)
    expect((await wire.next('broadcast')).payload).toMatchObject({ payload: { base64: 'YWJj' } })
  })
})
