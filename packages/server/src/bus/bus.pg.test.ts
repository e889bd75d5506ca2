/** What every bus promises, on all three of them; and what the shared ones promise when connections are cut. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/database.ts'
import { startNats, type TestNats } from '../../test/nats.ts'
import { startProxy, type TestProxy } from '../../test/proxy.ts'
import { eventually } from '../../test/realtime.ts'
import { systemClock } from '../kernel/clock.ts'
import { randomIds } from '../kernel/ids.ts'
import type { Bus, BusChannel } from './bus.ts'
import { createLocalBus } from './local.ts'
import { NatsTransport } from './nats.ts'
import { PostgresTransport } from './postgres.ts'
import { nodeName, SharedBus, type SharedBusOptions } from './shared.ts'

const BYTES: BusChannel<Buffer> = {
  name: 'test.bytes',
  encode: (value) => value,
  decode: (bytes) => Buffer.from(bytes),
}
const TEXT: BusChannel<string> = {
  name: 'test.text',
  encode: (value) => Buffer.from(value),
  decode: (bytes) => Buffer.from(bytes).toString('utf8'),
}

interface Node {
  readonly bus: Bus
  /** Between this node and its broker. */
  readonly line: TestProxy | null
}

type Kind = 'local' | 'postgres' | 'nats'

let database: TestDatabase
let nats: TestNats
const nodes: Node[] = []

beforeAll(async () => {
  ;[database, nats] = await Promise.all([createTestDatabase('15'), startNats()])
})
afterEach(async () => {
  await Promise.all(nodes.splice(0).map(({ bus, line }) => bus.stop().then(() => line?.stop())))
})
afterAll(async () => {
  await nats.stop()
  await database.drop()
})

const join = async (kind: Kind, options: Partial<SharedBusOptions> = {}): Promise<Node> => {
  const node = nodeName(randomIds)
  if (kind === 'local') {
    const alone = { bus: createLocalBus(() => {}), line: null }
    nodes.push(alone)
    return alone
  }
  const { connection } = database
  const line = await startProxy(
    kind === 'nats' ? { host: '127.0.0.1', port: nats.port } : { host: '127.0.0.1', port: Number(connection.port) },
  )
  const transport =
    kind === 'nats'
      ? new NatsTransport({ url: `nats://127.0.0.1:${line.port}`, app: 'test', node })
      : new PostgresTransport({
          connection: { ...connection, host: '127.0.0.1', port: line.port },
          clock: systemClock,
          node,
        })
  const bus = new SharedBus({ transport, clock: systemClock, node, onError: () => {}, ...options })
  nodes.push({ bus, line })
  await bus.start()
  return { bus, line }
}

/** Nodes that have all heard each other. */
const team = async (kind: Kind, size: number, options?: Partial<SharedBusOptions>): Promise<readonly Node[]> => {
  const all = await Promise.all(Array.from({ length: kind === 'local' ? 1 : size }, () => join(kind, options)))
  await eventually(() => all.every(({ bus }) => bus.peers().length === all.length - 1), 'everyone is heard')
  return all
}

const collect = (bus: Bus, subject: string): string[] => {
  const seen: string[] = []
  bus.subscribe(TEXT, subject, (value) => seen.push(value))
  return seen
}

const numbers = (prefix: string, count: number) => Array.from({ length: count }, (_, index) => `${prefix}${index}`)

describe.each<Kind>(['local', 'postgres', 'nats'])('a bus (%s)', (kind) => {
  it('tells each message once on every node, in the order of its sender, and only where somebody listens', async () => {
    const all = await team(kind, 3)
    const seen = all.map(({ bus }) => collect(bus, 'a'))
    const other = all.map(({ bus }) => collect(bus, 'b'))
    all.forEach(({ bus }, sender) => {
      for (let index = 0; index < 200; index++) bus.publish(TEXT, 'a', `${sender}:${index}`)
    })
    await eventually(() => seen.every((list) => list.length === 200 * all.length), 'all messages')
    for (const list of seen) {
      all.forEach((_, sender) => {
        expect(list.filter((text) => text.startsWith(`${sender}:`))).toEqual(numbers(`${sender}:`, 200))
      })
    }
    expect(other.flat()).toEqual([])
  })

  it('tells its own node at once', async () => {
    const [first] = await team(kind, 2)
    const seen = first === undefined ? [] : collect(first.bus, '主题 a')
    first?.bus.publish(TEXT, '主题 a', '你好')
    expect(seen).toEqual(['你好'])
  })

  it('carries bytes of any kind and of three megabytes', async () => {
    const all = await team(kind, 2)
    const big = Buffer.alloc(
      3 * 1024 * 1024,
      Uint8Array.from({ length: 256 }, (_, index) => index),
    )
    const seen = all.map(({ bus }) => {
      const list: Buffer[] = []
      bus.subscribe(BYTES, 'x', (value) => list.push(value))
      return list
    })
    all[0]?.bus.publish(BYTES, 'x', big)
    all[0]?.bus.publish(BYTES, 'x', Buffer.alloc(0))
    await eventually(() => seen.every((list) => list.length === 2), 'both messages')
    for (const list of seen) expect([list[0]?.equals(big), list[1]?.length]).toEqual([true, 0])
  })

  it('ends a subscription, and says nothing after it was stopped', async () => {
    const all = await team(kind, 2)
    const seen: string[] = []
    for (const { bus } of all) bus.subscribe(TEXT, 'a', () => seen.push('ended'))()
    const fence = all.map(({ bus }) => collect(bus, 'a'))
    all[0]?.bus.publish(TEXT, 'a', 'x')
    await eventually(() => fence.every((list) => list.length === 1), 'the fence')
    await all[0]?.bus.stop()
    all[0]?.bus.publish(TEXT, 'a', 'y')
    expect([seen, fence[0]]).toEqual([[], ['x']])
  })

  it('goes on when a handler throws', async () => {
    const all = await team(kind, 2)
    for (const { bus } of all) {
      bus.subscribe(TEXT, 'a', () => {
        throw new Error('no')
      })
    }
    const seen = all.map(({ bus }) => collect(bus, 'a'))
    all[0]?.bus.publish(TEXT, 'a', 'x')
    await eventually(() => seen.every((list) => list.length === 1), 'the message')
  })
})

describe.each<Exclude<Kind, 'local'>>(['postgres', 'nats'])('nodes on a shared bus (%s)', (kind) => {
  it('know of each other, and hear a goodbye', async () => {
    const [one, two] = await team(kind, 2)
    const gone: string[] = []
    one?.bus.onPeers({ down: (node) => gone.push(node) })
    await two?.bus.stop()
    await eventually(() => gone.length === 1, 'the goodbye')
    expect(gone).toEqual([two?.bus.node])
    expect(one?.bus.peers()).toEqual([])
  })

  it('lose nothing and hear nothing twice when connections are cut, with messages of any size on the way', async () => {
    const all = await team(kind, 3)
    const seen = all.map(({ bus }) => collect(bus, 'a'))
    for (let round = 0; round < 3; round++) {
      const line = all[round]?.line
      all.forEach(({ bus }, sender) => {
        for (let index = 0; index < 50; index++) {
          bus.publish(TEXT, 'a', `${sender}:${round * 50 + index}:${'x'.repeat(index % 10 === 0 ? 20_000 : 10)}`)
          if (index === 25 && sender === 0) line?.cut()
        }
      })
      line?.heal()
    }
    await eventually(() => seen.every((list) => list.length === 450), 'all messages', 20_000)
    for (const list of seen) {
      all.forEach((_, sender) => {
        const mine = list.filter((text) => text.startsWith(`${sender}:`)).map((text) => Number(text.split(':')[1]))
        expect(mine).toEqual(Array.from({ length: 150 }, (_, index) => index))
      })
    }
  })

  it('lose nothing when one of them is cut off for longer, and speaks meanwhile', async () => {
    const all = await team(kind, 3)
    const seen = all.map(({ bus }) => collect(bus, 'a'))
    const cut = all[2]
    cut?.line?.cut()
    await eventually(() => cut?.line?.open === 0, 'the line is cut')
    const from = performance.now()
    for (let index = 0; index < 30; index++) {
      for (const { bus } of all) bus.publish(TEXT, 'a', `${bus.node}:${index}`)
      await eventually(() => performance.now() - from > index * 20, 'a moment')
    }
    cut?.line?.heal()
    await eventually(() => seen.every((list) => list.length === 90), 'all messages', 10_000)
  })

  it('say so when more was missed than is kept', async () => {
    const [one, two] = await team(kind, 2, { sent: { frames: 20, bytes: 1_000_000 } })
    if (one === undefined || two === undefined) throw new Error('no team')
    const seen = collect(two.bus, 'a')
    const gaps: string[] = []
    two.bus.onPeers({ gap: (node) => gaps.push(node) })
    one.line?.cut()
    for (const text of numbers('', 100)) one.bus.publish(TEXT, 'a', text)
    one.line?.heal()
    await eventually(() => gaps.length > 0, 'the gap', 20_000)
    await eventually(() => seen.at(-1) === '99', 'the newest')
    expect(gaps).toEqual([one.bus.node])
    expect(seen.slice(-20)).toEqual(numbers('', 100).slice(-20))
  })
})
