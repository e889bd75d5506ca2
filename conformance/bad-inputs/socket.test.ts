/** Frames that no client should send: refused with a reply or a close that says why, within the deadline, and felt by nobody else. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import type { TestServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import { DEADLINE_MS } from './ask.ts'
import { expectHealthy, signToken, startFixture } from './fixture.ts'

let server: TestServer
beforeAll(async () => {
  server = await startFixture()
})
afterAll(() => server.stop())

type Version = '1.0.0' | '2.0.0'
interface Told {
  readonly ref: string | null
  readonly event: string
  readonly payload: { readonly status?: string; readonly response?: { readonly reason?: unknown } }
}

const address = (query = ''): string => {
  const { url, anonKey } = server.report
  return `${url.replace('http', 'ws')}/realtime/v1/websocket?apikey=${anonKey}&${query}`
}

const open = async (version: Version = '1.0.0') => {
  const socket = new WebSocket(address(`vsn=${version}`))
  const told: Told[] = []
  let closed: number | null = null
  socket.on('error', () => {})
  socket.on('close', (code) => {
    closed = code
  })
  socket.on('message', (bytes, isBinary) => {
    if (isBinary) return
    // Written by the server under test.
    const message = JSON.parse(String(bytes))
    if (!Array.isArray(message)) told.push(message)
    else told.push({ ref: message[1], event: message[3], payload: message[4] })
  })
  await until('the socket', () => socket.readyState === WebSocket.OPEN, { within: DEADLINE_MS })
  const replyTo = (ref: string) => told.find((each) => each.event === 'phx_reply' && each.ref === ref)
  return {
    socket,
    told,
    closed: () => closed,
    push: (topic: string, event: string, payload: unknown, ref: unknown = '9', joinRef: unknown = '1') =>
      socket.send(
        JSON.stringify(
          version === '2.0.0'
            ? [joinRef, ref, topic, event, payload]
            : { topic, event, payload, ref, join_ref: joinRef },
        ),
      ),
    reply: (ref = '9') => until(`the reply to ${ref}`, () => replyTo(ref), { within: DEADLINE_MS }),
    end: () => until('the close', () => closed, { within: DEADLINE_MS }),
  }
}

const CONFIG = { config: { broadcast: { ack: true }, presence: { key: 'me' } } }
const times = (text: string, count: number): string => text.repeat(count)
const binary = (lengths: readonly number[], rest: string): Buffer =>
  Buffer.concat([Buffer.from(lengths), Buffer.from(rest)])

describe.each(['1.0.0', '2.0.0'] as const)('vsn %s', (version) => {
  const FRAMES: Readonly<Record<string, string | Buffer>> = {
    nothing: '',
    'no JSON': 'tea',
    'half a message': '{"topic":"realtime:a"',
    null: 'null',
    'a number': '1',
    'a list that is too short': '["1","1"]',
    'lists 10,000 deep': times('[', 10_000) + times(']', 10_000),
    'a payload 10,000 deep': `{"topic":"t","event":"e","payload":${times('{"a":', 10_000)}1${times('}', 10_000)},"ref":"1"}`,
    'lists that never close': times('[', 100_000),
    NaN: '{"topic":"t","event":"e","payload":{"n":NaN},"ref":"1"}',
    'bytes of an unknown kind': Buffer.from([9, 1, 2, 3]),
    'no bytes': Buffer.alloc(0),
    'a binary frame that breaks off': Buffer.from([3, 200, 200]),
    'a binary frame whose lengths lie': binary([3, 255, 255, 255, 255, 255, 1], 'short'),
    'a binary frame without names': Buffer.from([3, 0, 0, 0, 0, 0, 1]),
    'random bytes': Buffer.from(Array.from({ length: 1_000 }, (_, index) => (index * 7919) % 256)),
  }
  it.each(Object.entries(FRAMES))('%s ends the connection with a reason', async (_what, frame) => {
    const client = await open(version)
    client.socket.send(frame)
    expect(await client.end()).toBe(1007)
  })

  const PUSHES: Readonly<Record<string, readonly [string, string, unknown]>> = {
    'a topic without prefix': ['room', 'phx_join', {}],
    'a topic without name': ['realtime:', 'phx_join', {}],
    'a topic of 10,000 characters': [`realtime:${times('a', 10_000)}`, 'phx_join', {}],
    'a NUL in a topic': ['realtime:a\0b', 'phx_join', {}],
    'a join whose config is a text': ['realtime:a', 'phx_join', { config: 'x' }],
    'a join whose changes are no list': ['realtime:a', 'phx_join', { config: { postgres_changes: {} } }],
    'a join with 1,000 bindings': [
      'realtime:a',
      'phx_join',
      { config: { postgres_changes: Array(1_000).fill({ event: '*', schema: 'public' }) } },
    ],
    'a join with a presence key of 1 MB': [
      'realtime:a',
      'phx_join',
      { config: { presence: { key: times('k', 1_000_000) } } },
    ],
    'a join with a token that is none': ['realtime:a', 'phx_join', { access_token: 'x.y.z' }],
    'a push to a channel that was never joined': ['realtime:never', 'broadcast', { event: 'e', payload: {} }],
    'an event of phoenix that does not exist': ['phoenix', 'brew', {}],
    'a payload that is a list': ['realtime:a', 'phx_join', []],
    'a payload that is a text': ['realtime:a', 'phx_join', 'x'],
  }
  it.each(Object.entries(PUSHES))('%s is refused', async (_what, [topic, event, payload]) => {
    const client = await open(version)
    client.push(topic, event, payload)
    const { payload: answer } = await client.reply()
    expect(answer).toMatchObject({ status: 'error', response: { reason: expect.any(String) } })
    client.socket.close()
  })

  it.each([{}, [], true, { a: 1 }, times('r', 300)])(
    'a ref like %j is refused, and ends the connection',
    async (ref) => {
      const client = await open(version)
      client.push('realtime:a', 'phx_join', CONFIG, ref)
      expect(await client.end()).toBe(1007)
    },
  )

  it('names of prototypes are names', async () => {
    const client = await open(version)
    for (const name of ['__proto__', 'constructor', 'toString']) {
      client.push(`realtime:${name}`, 'phx_join', { config: { presence: { key: '__proto__' } } }, name, name)
      expect((await client.reply(name)).payload.status).toBe('ok')
      client.push(`realtime:${name}`, 'presence', { event: 'track', payload: { ok: 1 } }, `${name}-t`, name)
      expect((await client.reply(`${name}-t`)).payload.status).toBe('ok')
    }
    client.socket.close()
  })

  it('pushes that are wrong inside of a channel are refused, and the channel lives on', async () => {
    const client = await open(version)
    client.push('realtime:room', 'phx_join', CONFIG, '1')
    expect((await client.reply('1')).payload.status).toBe('ok')
    const wrong: readonly (readonly [string, unknown])[] = [
      ['brew', {}],
      ['broadcast', { payload: {} }],
      ['broadcast', { event: { a: 1 }, payload: {} }],
      ['presence', { event: 'dance' }],
      ['presence', { event: 'track', payload: 'x' }],
      ['presence', { event: 'track', payload: { state: times('x', 1_000_000) } }],
      ['presence', {}],
    ]
    for (const [index, [event, payload]] of wrong.entries()) {
      client.push('realtime:room', event, payload, `w${index}`)
      expect((await client.reply(`w${index}`)).payload).toMatchObject({
        status: 'error',
        response: { reason: expect.any(String) },
      })
    }
    client.push(
      'realtime:room',
      'broadcast',
      { type: 'broadcast', event: 'e', payload: { fine: '茶👩‍👩‍👧‍👦' } },
      'fine',
    )
    expect((await client.reply('fine')).payload.status).toBe('ok')
    client.socket.close()
  })

  it('a storm of joins on one topic ends in one channel', async () => {
    const client = await open(version)
    for (let index = 0; index < 500; index += 1)
      client.push('realtime:storm', 'phx_join', CONFIG, `j${index}`, `j${index}`)
    const last = await client.reply('j499')
    expect(['ok', 'error']).toContain(last.payload.status)
    await until('every answer', () => client.told.filter(({ event }) => event === 'phx_reply').length === 500, {
      within: DEADLINE_MS,
    })
    client.push('phoenix', 'heartbeat', {}, 'beat', null)
    expect((await client.reply('beat')).payload.status).toBe('ok')
    client.socket.close()
  })
})

describe('filters of changes', () => {
  const FILTERS = [
    'x',
    'id=evil.1',
    'id=in.',
    'id=in.(',
    'nothing=eq.1',
    'n=eq.abc',
    `id=eq.${times('9', 5_000)}`,
    times('id=eq.1,', 100),
    'text=eq.a\0b',
  ]
  it.each(FILTERS.map((filter) => [filter.slice(0, 40), filter] as const))(
    '%s is told as an error of the subscription',
    async (_name, filter) => {
      const client = await open()
      client.push('realtime:f', 'phx_join', {
        config: { postgres_changes: [{ event: '*', schema: 'public', table: 'item', filter }] },
      })
      await client.reply()
      const system = await until('the system message', () => client.told.find(({ event }) => event === 'system'), {
        within: DEADLINE_MS,
      })
      expect(system.payload.status).toBe('error')
      client.socket.close()
    },
  )

  it('expressions that backtrack cost nobody anything', async () => {
    const client = await open()
    const bombs = ['text=match.(a+)+$', `text=match.${times('(a*)*', 20)}b`, `text=like.${times('%a', 200)}`]
    client.push('realtime:bombs', 'phx_join', {
      config: { postgres_changes: bombs.map((filter) => ({ event: '*', schema: 'public', table: 'item', filter })) },
    })
    await client.reply()
    const { url, anonKey } = server.report
    const headers = { apikey: anonKey, 'content-type': 'application/json' }
    const body = JSON.stringify({ text: `${times('a', 5_000)}!` })
    const started = performance.now()
    expect((await fetch(`${url}/rest/v1/item`, { method: 'POST', headers, body })).status).toBe(201)
    client.push('phoenix', 'heartbeat', {}, 'beat', null)
    await client.reply('beat')
    expect(performance.now() - started).toBeLessThan(DEADLINE_MS)
    client.socket.close()
  })
})

describe('the connection itself', () => {
  it('65,536 bytes in frames of one byte are one message', async () => {
    const client = await open()
    const text = JSON.stringify({
      topic: 'phoenix',
      event: 'heartbeat',
      payload: { pad: times('x', 65_536) },
      ref: 'slow',
    })
    const bytes = Buffer.from(text)
    for (let index = 0; index < bytes.length; index += 1)
      client.socket.send(bytes.subarray(index, index + 1), { fin: index === bytes.length - 1, binary: false })
    // Either it is put together, or so many pieces are refused.
    await until('an answer', () => client.told.length > 0 || client.closed() !== null, { within: DEADLINE_MS })
    client.socket.terminate()
  })

  it('a message of 4 MB ends the connection with 1009', async () => {
    const client = await open()
    client.socket.send(times('x', 4_000_000))
    expect(await client.end()).toBe(1009)
  })

  const RAW: Readonly<Record<string, Buffer>> = {
    'a frame without mask': Buffer.from([0x81, 0x02, 0x7b, 0x7d]),
    'reserved bits': Buffer.from([0xf1, 0x80, 0, 0, 0, 0]),
    'an opcode that does not exist': Buffer.from([0x83, 0x80, 0, 0, 0, 0]),
    'a length beyond all memory': Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
    'text that is no UTF-8': Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc4, 0xe3]),
    'a continuation of nothing': Buffer.from([0x80, 0x80, 0, 0, 0, 0]),
    'a ping of 200 bytes': Buffer.concat([Buffer.from([0x89, 0xfe, 0, 200, 0, 0, 0, 0]), Buffer.alloc(200)]),
  }
  it.each(Object.entries(RAW))('%s ends it', async (_what, frame) => {
    const { port } = new URL(server.report.url)
    const socket = connect(Number(port), '127.0.0.1')
    let seen = ''
    let ended = false
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      seen += bytes.toString('latin1')
    })
    socket.on('close', () => {
      ended = true
    })
    const path = new URL(address('vsn=1.0.0'))
    socket.write(
      `GET ${path.pathname}${path.search} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    )
    await until('the upgrade', () => seen.includes('101 Switching'), { within: DEADLINE_MS })
    socket.write(frame)
    await until('the end', () => ended, { within: 40_000 })
  })

  it.each([
    ['no key', '/realtime/v1/websocket', 401],
    ['a key that is none', '/realtime/v1/websocket?apikey=x', 401],
    ['a version that does not exist', '/realtime/v1/websocket?apikey=KEY&vsn=9', 400],
    ['an expired token', '/realtime/v1/websocket?apikey=OLD', 401],
    ['another address', '/realtime/v1/elsewhere?apikey=KEY', 404],
  ])('%s is refused before it is opened', async (_what, path, status) => {
    const { url, anonKey, jwtSecret } = server.report
    const old = signToken(jwtSecret, { role: 'anon', exp: 1_000_000_000 })
    const socket = new WebSocket(url.replace('http', 'ws') + path.replace('KEY', anonKey).replace('OLD', old))
    const answer = await new Promise<number>((resolve) => {
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
      socket.on('error', () => {})
    })
    expect(answer).toBe(status)
    socket.terminate()
  })
})

describe('afterwards', () => {
  it('the server serves, and nothing of ours failed', () => expectHealthy(server))
})
