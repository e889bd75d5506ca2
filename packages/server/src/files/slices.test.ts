import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { Clock } from '../kernel/clock.ts'
import { systemClock } from '../kernel/clock.ts'
import { reasonOf } from './errors.ts'
import { Slices, type SlicesOptions } from './slices.ts'

const options = (more: Partial<SlicesOptions> = {}): SlicesOptions => ({
  clock: systemClock,
  bytes: 4,
  milliseconds: 60_000,
  limit: 1000,
  signal: new AbortController().signal,
  ...more,
})

const textOf = async (slice: AsyncIterable<Uint8Array>): Promise<string> => {
  let text = ''
  for await (const chunk of slice) text += Buffer.from(chunk).toString()
  return text
}

const all = async (slices: Slices): Promise<string[]> => {
  const texts: string[] = []
  while (await slices.more()) texts.push(await textOf(slices.slice()))
  return texts
}

const from = (...parts: string[]) => Readable.from(parts.map((part) => Buffer.from(part)))

/** A clock whose timers run when the test says so. */
const manualClock = () => {
  const timers = new Set<() => void>()
  const clock: Clock = {
    now: () => 0,
    after: (_ms, callback) => {
      timers.add(callback)
      return () => timers.delete(callback)
    },
  }
  return { clock, ring: () => [...timers].forEach((callback) => void callback()), timers }
}

describe('slices of a body', () => {
  it('end with the chunk that fills them', async () => {
    expect(await all(new Slices(from('ab', 'cd', 'ef', 'g'), options()))).toEqual(['abcd', 'efg'])
  })

  it('are none for an empty body', async () => {
    expect(await all(new Slices(from(), options()))).toEqual([])
  })

  it('keep what came before the connection broke, and say that it did', async () => {
    async function* source() {
      yield Buffer.from('abcde')
      yield Buffer.from('f')
      throw new Error('aborted')
    }
    const slices = new Slices(Readable.from(source(), { highWaterMark: 1 }), options())
    expect((await all(slices)).join('')).toBe('abcdef')
    expect(slices.failure).toMatchObject({ message: 'aborted' })
  })

  it('never give out more than the limit', async () => {
    const slices = new Slices(from('abc', 'def'), options({ limit: 5, bytes: 100 }))
    const error = await all(slices).catch((thrown: unknown) => thrown)
    expect(reasonOf(error)).toBe('file_too_large')
  })

  it('end when they took too long, and the next one goes on', async () => {
    const { clock, ring, timers } = manualClock()
    const source = new PassThrough()
    source.write('a')
    const slices = new Slices(source, options({ clock }))
    expect(await slices.more()).toBe(true)
    const first = textOf(slices.slice())
    await expect.poll(() => timers.size).toBe(1)
    ring()
    expect(await first).toBe('a')
    source.end('b')
    expect(await all(slices)).toEqual(['b'])
  })

  it('end when somebody else takes over, even while nothing arrives', async () => {
    const stop = new AbortController()
    const source = new PassThrough()
    source.write('a')
    const slices = new Slices(source, options({ signal: stop.signal }))
    expect(await slices.more()).toBe(true)
    const first = textOf(slices.slice())
    stop.abort()
    expect(await first).toBe('a')
    expect(await slices.more()).toBe(false)
  })
})
