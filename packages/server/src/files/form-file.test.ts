/** The streaming form reader against a reader that has the whole form in hand, however the network cuts it up. */
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readForm } from './form-file.ts'

interface Part {
  readonly name: string
  readonly file: boolean
  readonly content: Uint8Array
}

const BOUNDARY = 'wxmpFormBoundary0123456789abcdefg'

const encode = (parts: readonly Part[], ending: string): Buffer =>
  Buffer.concat([
    ...parts.flatMap(({ name, file, content }) => [
      Buffer.from(
        `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${file ? '; filename="dir/名 字.png"\r\nContent-Type: image/png' : ''}\r\n\r\n`,
      ),
      content,
      Buffer.from('\r\n'),
    ]),
    Buffer.from(`--${BOUNDARY}--${ending}`),
  ])

/** A request of which only what the reader uses is real. */
const requestOf = (body: Buffer, cuts: readonly number[]): IncomingMessage => {
  const edges = [0, ...cuts.map((cut) => cut % (body.length + 1)).sort((a, b) => a - b), body.length]
  const chunks = edges.slice(1).map((end, index) => body.subarray(edges[index], end))
  const headers = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }
  // The reader sees a stream with headers and `complete`, which is all that it asks of a request.
  return Object.assign(Readable.from(chunks.filter((chunk) => chunk.length > 0)), {
    headers,
    complete: true,
  }) as unknown as IncomingMessage
}

// Bytes that a boundary is made of come often, so that almost-boundaries do.
const content = fc
  .array(
    fc.oneof(
      fc.constantFrom('\r', '\n', '\r\n', '--', '-', '\r\n--', BOUNDARY.slice(0, 9), `\r\n--${BOUNDARY.slice(0, -1)}`),
      fc.string({ maxLength: 9 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => Buffer.from(parts.join('')))
  .filter((bytes) => !bytes.includes(`--${BOUNDARY}`))

const part: fc.Arbitrary<Part> = fc.record({
  name: fc.constantFrom('', 'file', 'name', 'cacheControl', 'metadata', '__proto__'),
  file: fc.boolean(),
  content,
})

const runs = process.env.TEAHOUSE_SOAK === '1' ? 20_000 : 300

describe('a form', () => {
  it('gives its first file whole and every field, wherever it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        fc.constantFrom('', '\r\n', '\r\nepilogue'),
        async (parts, cuts, ending) => {
          const first = parts.find(({ file }) => file)
          const reading = readForm(requestOf(encode(parts, ending), cuts))
          if (first === undefined) {
            await expect(reading).rejects.toMatchObject({ reason: 'no_content' })
            return
          }
          const form = await reading
          expect((await buffer(form.stream)).equals(first.content)).toBe(true)
          expect(form.contentType).toBe('image/png')
          const fields = new Map(
            parts.flatMap(({ name, file, content }) => (file ? [] : [[name, content.toString()] as const])),
          )
          expect(await form.rest).toEqual(fields)
        },
      ),
      { seed: 7, numRuns: runs },
    )
  })

  it('that stops anywhere is refused, and never ends the process', async () => {
    const whole = encode(
      [
        { name: 'name', file: false, content: Buffer.from('value') },
        { name: 'file', file: true, content: Buffer.from('content') },
        { name: 'metadata', file: false, content: Buffer.from('{}') },
      ],
      '',
    )
    for (let length = 0; length < whole.length; length += 1) {
      const outcome = await readForm(requestOf(whole.subarray(0, length), [length / 2])).then(
        async ({ stream, rest }) => {
          await buffer(stream).catch(() => null)
          return rest.then(
            () => 'taken',
            () => 'refused',
          )
        },
        () => 'refused',
      )
      expect(outcome, `after ${length} bytes`).toBe('refused')
    }
  })
})
