import { PassThrough, Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { metered } from './metered.ts'

const RUNS = process.env.TEAHOUSE_SOAK === '1' ? 2000 : 100

const read = async (source: Readable, limit = Number.POSITIVE_INFINITY): Promise<Buffer> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of metered(source, limit)) {
    chunks.push(chunk)
    // Slower than the source now and then.
    if (chunks.length % 3 === 0) await setImmediate()
  }
  return Buffer.concat(chunks)
}

it('passes everything through, in order, up to the limit and no further', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 100_000, minLength: 1 }), { maxLength: 12 }),
      fc.nat(400_000),
      async (parts, limit) => {
        const whole = Buffer.concat(parts)
        const source = Readable.from(parts.map((part) => Buffer.from(part)))
        const result = await read(source, limit).catch((error: Error) => error.message)
        if (whole.length > limit) expect(result).toBe('The object exceeded the maximum allowed size')
        else expect(whole.equals(result as Buffer)).toBe(true)
      },
    ),
    { seed: 7, numRuns: RUNS },
  )
})

it('lets the source wait when nobody reads', async () => {
  const source = new PassThrough({ highWaterMark: 1000 })
  const chunks = metered(source, Number.POSITIVE_INFINITY)[Symbol.asyncIterator]()
  let taken = 0
  const write = async () => {
    for (let count = 0; count < 100; count += 1) {
      if (!source.write(Buffer.alloc(10_000))) await new Promise((resolve) => source.once('drain', resolve))
      taken += 10_000
    }
    source.end()
  }
  const writing = write()
  for (let turn = 0; turn < 50; turn += 1) await setImmediate()
  expect(taken).toBeLessThan(300_000)
  let size = 0
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) size += next.value.length
  await writing
  expect(size).toBe(1_000_000)
})

it('hears of a source that fails, ends early or did so before, after what came first', async () => {
  const failing = new PassThrough()
  failing.write('tea')
  const chunks = metered(failing, 100)[Symbol.asyncIterator]()
  expect(String((await chunks.next()).value)).toBe('tea')
  const waiting = chunks.next()
  failing.destroy(new Error('went away'))
  await expect(waiting).rejects.toThrow('went away')

  const silent = new PassThrough()
  const next = metered(silent, 100)[Symbol.asyncIterator]().next()
  silent.destroy()
  await expect(next).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' })
  await expect(read(silent)).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' })
  failing.on('error', () => {})
  await expect(read(failing)).rejects.toThrow('went away')
  const ended = Readable.from([])
  ended.resume()
  await new Promise((resolve) => ended.once('end', resolve))
  expect((await read(ended)).length).toBe(0)
})

it('leaves a source that was too large alive, and out of anybody’s hands', async () => {
  const source = new PassThrough()
  source.write(Buffer.alloc(200))
  await expect(read(source, 100)).rejects.toThrow('maximum')
  expect([source.destroyed, source.listenerCount('data'), source.isPaused()]).toEqual([false, 0, true])
  source.resume()
  source.end()
  await new Promise((resolve) => source.once('end', resolve))
})
