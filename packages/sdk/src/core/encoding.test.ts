/** Text and base64 codecs against Node's own. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { atob as ourAtob, btoa as ourBtoa } from './base64.ts'
import { scalarValues } from './bytes.ts'
import { TextDecoder as OurDecoder, TextEncoder as OurEncoder } from './encoding.ts'

// The long run, and a busy machine.
vi.setConfig({ testTimeout: 120_000 })

const runs = { seed: 20260402, numRuns: process.env['TEAHOUSE_SOAK'] ? 50_000 : 1_500 }
const failing = (run: () => unknown): unknown => {
  try {
    return run()
  } catch (error) {
    return error instanceof Error ? error.name : error
  }
}

/** Bytes that are often close to UTF-8. */
const chunk = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc.string({ unit: 'grapheme' }).map((text) => new TextEncoder().encode(text)),
  fc.string({ unit: 'grapheme' }).map((text) => new TextEncoder().encode(text).slice(0, -1)),
  fc
    .constantFrom(
      [0xef, 0xbb, 0xbf],
      [0xef, 0xbb],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xc0, 0x80],
      [0xe0, 0x80],
    )
    .map((bytes) => new Uint8Array(bytes)),
)

describe('TextDecoder, against the one of Node', () => {
  it('decodes a stream of chunks as Node does, with and without fatal and ignoreBOM', () => {
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 6 }), fc.boolean(), fc.boolean(), (chunks, fatal, ignoreBOM) => {
        const play = (decoder: InstanceType<typeof TextDecoder> | OurDecoder) => [
          ...chunks.map((bytes) => failing(() => decoder.decode(bytes, { stream: true }))),
          failing(() => decoder.decode()),
        ]
        const theirs = play(new TextDecoder('utf-8', { fatal, ignoreBOM }))
        const ours = play(new OurDecoder('utf-8', { fatal, ignoreBOM }))
        // After a fatal error Node's decoder keeps the rest of its state, against the standard: compare up to there.
        const end = theirs.indexOf('TypeError')
        const upTo = end < 0 ? undefined : end + 1
        expect(ours.slice(0, upTo)).toEqual(theirs.slice(0, upTo))
      }),
      runs,
    )
  })

  it('decodes long text in one piece', () => {
    const text = '茶馆 teahouse 😀 '.repeat(20_000)
    expect(new OurDecoder().decode(new TextEncoder().encode(text))).toBe(text)
  })

  it('decodes long runs of ASCII between other characters, in any pieces', () => {
    const text = `\ufeff${'x'.repeat(100)}茶${'y'.repeat(9_000)}😀${'z'.repeat(63)}é`
    const bytes = new TextEncoder().encode(text)
    for (const size of [7, 64, 4096, bytes.length]) {
      const decoder = new OurDecoder()
      let result = ''
      for (let at = 0; at < bytes.length; at += size)
        result += decoder.decode(bytes.subarray(at, at + size), { stream: true })
      expect(result + decoder.decode()).toBe(text.slice(1))
    }
  })

  it('knows UTF-8 by its labels only', () => {
    expect(new OurDecoder(' UTF8 ').encoding).toBe('utf-8')
    expect(() => new OurDecoder('gbk')).toThrow(RangeError)
  })
})

describe('TextEncoder, against the one of Node', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom('\ud800', '\udc00', 'a', '茶')).map((parts) => parts.join('')),
  )
  it('encodes any string, lone surrogates included', () => {
    fc.assert(
      fc.property(
        text,
        (value) => void expect(new OurEncoder().encode(value)).toEqual(new TextEncoder().encode(value)),
      ),
      runs,
    )
    const keepBom = new TextDecoder('utf-8', { ignoreBOM: true })
    fc.assert(
      fc.property(
        text,
        (value) => void expect(scalarValues(value)).toBe(keepBom.decode(new TextEncoder().encode(value))),
      ),
      runs,
    )
  })

  it('encodes into a buffer of any size', () => {
    fc.assert(
      fc.property(text, fc.nat(20), (value, size) => {
        const [ours, theirs] = [new Uint8Array(size), new Uint8Array(size)]
        expect(new OurEncoder().encodeInto(value, ours)).toEqual(new TextEncoder().encodeInto(value, theirs))
        expect(ours).toEqual(theirs)
      }),
      runs,
    )
  })
})

describe('base64, against the one of Node', () => {
  it('encodes and refuses as Node does', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        (value) => void expect(failing(() => ourBtoa(value))).toBe(failing(() => btoa(value))),
      ),
      runs,
    )
  })

  it('decodes and refuses as Node does', () => {
    const digits = fc.array(fc.constantFrom('A', 'b', '9', '+', '/', '=', ' ', '-', 'z')).map((parts) => parts.join(''))
    fc.assert(
      fc.property(digits, (value) => void expect(failing(() => ourAtob(value))).toBe(failing(() => atob(value)))),
      runs,
    )
  })
})
