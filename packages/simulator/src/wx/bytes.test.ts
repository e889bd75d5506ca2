/** Our encoders against Node's. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { base64Decode, base64Encode, utf8Decode, utf8Encode } from './bytes.ts'

const runs = { seed: 7, numRuns: process.env['TEAHOUSE_SOAK'] ? 20_000 : 300 }

test('UTF-8 of any text is what Node makes of it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(Buffer.from(utf8Encode(text))).toEqual(Buffer.from(text, 'utf8'))
      expect(utf8Decode(utf8Encode(text))).toBe(Buffer.from(text, 'utf8').toString('utf8'))
    }),
    runs,
  )
})

test('valid UTF-8 decodes as Node decodes it; base64 both ways', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      expect(base64Encode(bytes)).toBe(Buffer.from(bytes).toString('base64'))
      expect(Buffer.from(base64Decode(base64Encode(bytes)))).toEqual(Buffer.from(bytes))
      expect(Buffer.from(base64Decode(Buffer.from(bytes).toString('base64url')))).toEqual(Buffer.from(bytes))
    }),
    runs,
  )
})

test('malformed UTF-8 never throws and never swallows what follows', () => {
  expect(utf8Decode(Uint8Array.of(0x61, 0xff, 0x62))).toBe('a\ufffdb')
  expect(utf8Decode(Uint8Array.of(0xe8, 0x8c))).toBe('\ufffd\ufffd')
})
