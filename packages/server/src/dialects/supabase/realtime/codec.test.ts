/** Phoenix messages as bytes: what clients write is read, what is no message is refused, and what is written the real client reads. */

import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from '../../../../test/arbitraries.ts'
import { decodeBinary, decodeText, encodeBroadcast, encodeText, truncatedName } from './codec.ts'

interface ClientSerializer {
  encode(message: unknown, done: (bytes: ArrayBuffer | string) => void): void
  decode(bytes: ArrayBuffer | string, done: (message: Record<string, unknown>) => void): void
}
// An inner file of the official client, whose package does not export it; the shape is what is used here.
const Serializer: new () => ClientSerializer = createRequire(import.meta.url)(
  fileURLToPath(new URL('lib/serializer.js', import.meta.resolve('@supabase/realtime-js'))),
).default
const client = new Serializer()

const decoded = (bytes: Buffer): Record<string, unknown> => {
  let result: Record<string, unknown> = {}
  const copy = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  client.decode(copy as ArrayBuffer, (message: Record<string, unknown>) => {
    result = message
  })
  return result
}

/** The payload of a server frame: our frames have no mask. */
const payloadOf = (frame: Buffer): Buffer => {
  const length = (frame[1] ?? 0) & 0x7f
  return frame.subarray(length < 126 ? 2 : length === 126 ? 4 : 10)
}

const message = { join_ref: '1', ref: '2', topic: 'realtime:a', event: 'phx_join', payload: { config: {} } }

describe('text messages', () => {
  it('are objects in protocol 1 and arrays in protocol 2', () => {
    const expected = { joinRef: '1', ref: '2', topic: 'realtime:a', event: 'phx_join', payload: { config: {} } }
    expect(decodeText(JSON.stringify(message), '1.0.0')).toEqual(expected)
    expect(decodeText('["1","2","realtime:a","phx_join",{"config":{}}]', '2.0.0')).toEqual(expected)
  })

  it.each([
    ['', 'JSON'],
    ['{', 'JSON'],
    ['null', 'object'],
    ['[]', 'object'],
    ['"x"', 'object'],
    ['{"topic":1,"event":"x"}', 'topic'],
    ['{"topic":"","event":"x"}', 'topic'],
    ['{"topic":"a"}', 'event'],
    ['{"topic":"a","event":""}', 'event'],
    ['{"topic":"a","event":"b","payload":[]}', 'payload'],
    ['{"topic":"a","event":"b","payload":"x"}', 'payload'],
    ['{"topic":"a","event":"b","ref":{}}', 'ref'],
    [`{"topic":"a","event":"b","ref":"${'x'.repeat(256)}"}`, 'ref'],
    [`${'['.repeat(10_000)}${']'.repeat(10_000)}`, 'deeply'],
  ])('that are none are refused: %.40s', (text, reason) => {
    expect(decodeText(text, '1.0.0')).toMatchObject({ malformed: expect.stringContaining(reason) })
  })

  it('keep the ref of a refused message, so that its sender hears of it', () => {
    expect(decodeText('[null,"7","realtime:a","x",3]', '2.0.0')).toMatchObject({ ref: '7', topic: 'realtime:a' })
  })

  it('never make the decoder throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.json()),
        fc.constantFrom('1.0.0' as const, '2.0.0' as const),
        (text, version) => {
          decodeText(text, version)
        },
      ),
      runs(300),
    )
  })

  it('are written in the form of their protocol', () => {
    const out = { joinRef: '1', ref: '2', topic: 't', event: 'e', payload: '{}' }
    expect(JSON.parse(encodeText(out, '1.0.0'))).toEqual({ topic: 't', event: 'e', payload: {}, ref: '2' })
    expect(JSON.parse(encodeText(out, '2.0.0'))).toEqual(['1', '2', 't', 'e', {}])
  })
})

describe('binary broadcasts', () => {
  it('of the real client are read, text and bytes', () => {
    for (const payload of [{ a: '茶' }, new Uint8Array([0, 255]).buffer]) {
      client.encode(
        {
          join_ref: '1',
          ref: '2',
          topic: 'realtime:a',
          event: 'broadcast',
          payload: { type: 'broadcast', event: 'x', payload },
        },
        (bytes) => {
          const read = decodeBinary(Buffer.from(bytes as ArrayBuffer))
          expect(read).toMatchObject({
            joinRef: '1',
            ref: '2',
            topic: 'realtime:a',
            event: 'broadcast',
            payload: { type: 'broadcast', event: 'x' },
          })
          const raw = 'raw' in read ? read.raw : undefined
          expect(raw?.encoding === 'json' ? JSON.parse(raw.bytes.toString()) : raw?.bytes).toEqual(
            payload instanceof ArrayBuffer ? Buffer.from([0, 255]) : payload,
          )
        },
      )
    }
  })

  it('know how old clients garble names', () => {
    client.encode(
      { join_ref: '1', ref: null, topic: 'realtime:聊天室', event: 'broadcast', payload: { event: 'x', payload: {} } },
      (bytes) => {
        expect(decodeBinary(Buffer.from(bytes as ArrayBuffer))).toMatchObject({
          topic: truncatedName('realtime:聊天室'),
        })
      },
    )
  })

  it('that are cut off or not of this kind are refused', () => {
    const whole = Buffer.from([3, 1, 1, 1, 1, 0, 1, 0x31, 0x32, 0x61, 0x62, 0x7b, 0x7d])
    expect(decodeBinary(whole)).toMatchObject({ topic: 'a', payload: { event: 'b' } })
    for (let length = 0; length < 11; length++)
      expect(decodeBinary(whole.subarray(0, length))).toHaveProperty('malformed')
    expect(decodeBinary(Buffer.from([4, 0, 0, 0, 0]))).toHaveProperty('malformed')
    expect(decodeBinary(Buffer.from([3, 0, 0, 1, 1, 0, 1, 0x61, 0x62, 0x7b]))).toMatchObject({
      malformed: 'the payload is not JSON',
    })
  })

  it('never make the decoder throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        decodeBinary(Buffer.from([3, ...bytes]))
      }),
      runs(300),
    )
  })

  it('are read by the real client as they were meant', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }),
        fc.jsonValue(),
        (topic, event, payload) => {
          const frame = encodeBroadcast(
            topic,
            { event, payload: { encoding: 'json', bytes: Buffer.from(JSON.stringify(payload)) }, meta: { id: '1' } },
            '2.0.0',
          )
          const body = payloadOf(frame)
          if (frame[0] === 0x82)
            expect(decoded(body)).toMatchObject({
              topic,
              event: 'broadcast',
              payload: { event, payload: JSON.parse(JSON.stringify(payload)), meta: { id: '1' } },
            })
          // Names beyond a length byte travel as text.
          else expect(JSON.parse(body.toString())[4]).toMatchObject({ event, meta: { id: '1' } })
        },
      ),
      runs(100),
    )
  })
})
