/** Frames and queues without a network: what is written, when, and to whom no longer. */
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as ws from 'ws'
import { runs } from '../../test/arbitraries.ts'
import { systemClock } from '../kernel/clock.ts'
import { Connection, Joiner, type Peer, WriteTurn } from './connection.ts'
import { binaryFrame, textFrame } from './frame.ts'

/** The part of ws that its types leave out. */
const Receiver: new (options: object) => EventEmitter & { write(bytes: Buffer, done: () => void): void } = Reflect.get(
  ws,
  'Receiver',
)

/** What ws itself reads from bytes. */
const readBack = async (bytes: Buffer): Promise<readonly (readonly [content: string, binary: boolean])[]> => {
  const receiver = new Receiver({ isServer: false, skipUTF8Validation: false })
  const messages: [string, boolean][] = []
  receiver.on('message', (data: Buffer, binary: boolean) =>
    messages.push([data.toString(binary ? 'hex' : 'utf8'), binary]),
  )
  await new Promise<void>((resolve, reject) => {
    receiver.on('error', reject)
    receiver.write(bytes, () => resolve())
  })
  return messages
}

class FakeSocket extends EventEmitter {
  writableLength = 0
  readonly writes: Buffer[] = []
  write(bytes: Buffer): boolean {
    this.writes.push(bytes)
    return true
  }
}

class FakeWebSocket extends EventEmitter {
  connection: Connection | null = null
  closed: readonly [number, string] | null = null
  close(code: number, reason: string): void {
    this.closed = [code, reason]
  }
  terminate(): void {
    this.emit('close')
  }
}

const connect = (turn = new WriteTurn()) => {
  const socket = new FakeSocket()
  const fake = new FakeWebSocket()
  const ground = { turn, clock: systemClock, limits: { frames: 3, bytes: 1_000_000 } }
  // The two fakes have what Connection uses of the real ones.
  const connection = new Connection(fake as unknown as Peer, socket as unknown as Duplex, ground)
  return { socket, ws: fake, connection }
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

describe('frames', () => {
  it('are read by ws as what they were made of', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', maxLength: 300 }),
        fc.uint8Array({ maxLength: 300 }),
        async (text, bytes) => {
          expect(await readBack(Buffer.concat([textFrame(text), binaryFrame(bytes)]))).toEqual([
            [text, false],
            [Buffer.from(bytes).toString('hex'), true],
          ])
        },
      ),
      runs(50),
    )
    for (const size of [125, 126, 65_535, 65_536])
      expect((await readBack(textFrame('x'.repeat(size))))[0]?.[0].length).toBe(size)
  })
})

describe('a connection', () => {
  it('writes once per turn, and shares the bytes with its neighbours', async () => {
    const turn = new WriteTurn()
    const [one, two] = [connect(turn), connect(turn)]
    const frames = [textFrame('a'), textFrame('b')]
    for (const { connection } of [one, two]) for (const frame of frames) connection.send(frame)
    expect(one.socket.writes).toEqual([])
    await nextTurn()
    expect(one.socket.writes).toEqual([Buffer.concat(frames)])
    expect(two.socket.writes[0]).toBe(one.socket.writes[0])
  })

  it('holds frames back while its peer does not read, and goes on when it does', async () => {
    const { socket, connection } = connect()
    socket.writableLength = 1_000_000 / 2
    connection.send(textFrame('a'))
    await nextTurn()
    expect(socket.writes).toEqual([])
    socket.writableLength = 0
    socket.emit('drain')
    await nextTurn()
    expect(socket.writes.length).toBe(1)
  })

  it('is closed with a reason when its queue is full', async () => {
    const { socket, ws, connection } = connect()
    let overflowed = 0
    connection.onOverflow = () => overflowed++
    socket.writableLength = 500_000
    connection.send(textFrame('a'))
    await nextTurn()
    for (let count = 0; count < 10; count++) connection.send(textFrame('b'))
    expect(ws.closed).toEqual([1013, 'too far behind'])
    expect(overflowed).toBe(1)
    expect(connection.open).toBe(false)
  })

  it('sends what is queued before it closes', () => {
    const { socket, ws, connection } = connect()
    connection.send(textFrame('last'))
    connection.close(1000, 'x'.repeat(500))
    expect(socket.writes.length).toBe(1)
    expect(Buffer.byteLength(ws.closed?.[1] ?? '')).toBeLessThanOrEqual(123)
    connection.send(textFrame('never'))
    expect(socket.writes.length).toBe(1)
  })

  it('ends itself, not the process, when a message breaks its handler', () => {
    const { ws, connection } = connect()
    connection.attach({
      text: () => {
        throw new Error('broken')
      },
      binary: () => {},
      closed: () => {},
    })
    ws.emit('message', Buffer.from('x'), false)
    expect(ws.closed?.[0]).toBe(1011)
  })
})

it('joined bytes are made anew when the frames differ', () => {
  const joiner = new Joiner()
  const [a, b, c] = [textFrame('a'), textFrame('b'), textFrame('c')]
  expect(joiner.join([a])).toBe(a)
  expect(joiner.join([a, b])).toBe(joiner.join([a, b]))
  expect(joiner.join([a, c])).toEqual(Buffer.concat([a, c]))
})
