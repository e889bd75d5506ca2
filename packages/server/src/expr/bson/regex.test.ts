/** Patterns of clients: what is understood, what is refused, that it means what it means elsewhere, and that no pattern takes long. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from '../../../test/arbitraries.ts'
import { pattern, patternText } from '../../../test/patterns.ts'
import { matchesPattern, PatternError, readPattern } from './regex.ts'

const test = (source: string, text: string, options = ''): boolean => matchesPattern(readPattern(source, options), text)

describe('patterns', () => {
  it('find what JavaScript finds', () => {
    fc.assert(
      fc.property(pattern, patternText, fc.constantFrom('', 'i', 'm', 'is'), (source, text, options) => {
        expect([source, text, test(source, text, options)]).toEqual([
          source,
          text,
          new RegExp(source, options).test(text),
        ])
      }),
      runs(600),
    )
  })

  it('know Chinese, emoji and both cases', () => {
    expect(test('^茶.$', '茶🍵')).toBe(true)
    expect(test('ÄÖ', 'äö', 'i')).toBe(true)
    expect(test('[α-ω]', 'Σ', 'i')).toBe(true)
    expect(test('\\u8336', '茶')).toBe(true)
  })

  it('refuse what is not safe or not the same everywhere', () => {
    for (const source of ['(?=a)', '(?<!a)b', '(a)\\1', '\\p{L}', 'a{1000}', '(', 'a)', '[', '*', 'a**', '^*', 'a++', '[b-a]', '\\', '[[:alpha:]]', '(?<n>a)', 'a'.repeat(1001), '((((a{255}){255}){255}))', '\\x00']) // biome-ignore format: one list
      expect(() => readPattern(source, ''), source).toThrow(PatternError)
    expect(() => readPattern('a', 'x')).toThrow(PatternError)
  })

  it('take no longer for a text that makes others backtrack', () => {
    const start = performance.now()
    expect(test('^(a+)+$', `${'a'.repeat(20_000)}!`)).toBe(false)
    expect(test('^(a|a)*b$', 'a'.repeat(20_000))).toBe(false)
    expect(test('(.*)*x', 'a'.repeat(20_000))).toBe(false)
    expect(performance.now() - start).toBeLessThan(5000)
  })
})
