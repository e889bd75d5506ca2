/** Our encoders against Node's. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { base64Decode, base64Encode, utf8Decode, utf8Encode } from './bytes.ts'

const runs = { seed: 7, numRuns: process.env['TEAHOUSE_SOAK'] ? 20_000 : 300 }

test('UTF-8 of any text is what Node makes of it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const expected = Buffer.from(text, 'utf8')
      return expected.equals(utf8Encode(text)) && utf8Decode(utf8Encode(text)) === expected.toString('utf8')
    }),
    runs,
  )
})

test('base64 both ways is what Node makes of it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const buffer = Buffer.from(bytes)
      const text = base64Encode(bytes)
      const decoded = [text, buffer.toString('base64url')].map(base64Decode)
      return text === buffer.toString('base64') && decoded.every((one) => buffer.equals(one))
    }),
    runs,
  )
})

test('malformed UTF-8 never throws and never swallows what follows', () => {
  expect(utf8Decode(Uint8Array.of(0x61, 0xff, 0x62))).toBe('a\ufffdb')
  expect(utf8Decode(Uint8Array.of(0xe8, 0x8c))).toBe('\ufffd\ufffd')
})
