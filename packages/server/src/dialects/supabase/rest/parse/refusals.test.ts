/** Refusals of the grammar, word for word. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from '../../../../../test/arbitraries.ts'
import { type Grammar, refusalOf } from './refusals.ts'

const words = (grammar: Grammar, text: string, prefix?: string) => {
  const refusal = refusalOf(grammar, text, prefix)
  return refusal === null ? null : `${refusal.answer.body.message.replace(/^.*" /s, '')} ${refusal.answer.body.details}`
}

describe('a refusal', () => {
  it.each<[Grammar, string, string]>([
    ['order', 'id.ac', '(line 1, column 4) unexpected "c" expecting "asc", "desc", "nullsfirst" or "nullslast"'],
    ['order', 'id.descc', '(line 1, column 8) unexpected \'c\' expecting delimiter (.), "," or end of input'],
    ['order', 'id.nulsfist', '(line 1, column 4) unexpected "n" expecting "asc", "desc", "nullsfirst" or "nullslast"'],
    ['order', 'id.nullslasttt', '(line 1, column 13) unexpected \'t\' expecting "," or end of input'],
    ['order', 'id.smth34', '(line 1, column 4) unexpected "s" expecting "asc", "desc", "nullsfirst" or "nullslast"'],
    ['filter', '0', '(line 1, column 1) unexpected "0" expecting "not" or operator (eq, gt, ...)'],
    ['filter', 'in.1,2', '(line 1, column 4) unexpected "1" expecting "("'],
    ['filter', 'is.nil', '(line 1, column 5) unexpected "i" expecting isVal: (null, not_null, true, false, unknown)'],
    ['columns parameter', '', '(line 1, column 1) unexpected end of input expecting field name (* or [a..z0..9_$])'],
  ])('of the %s %s', (grammar, text, expected) => {
    expect(words(grammar, text)).toBe(expected)
  })

  it.each([
    ['or', ')(', '(line 1, column 3) unexpected ")" expecting "("'],
    [
      'or',
      '()',
      '(line 1, column 4) unexpected ")" expecting field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)',
    ],
    ['and', '(ord(id.eq.1,id.eq.1),id.eq.2)', '(line 1, column 7) unexpected "d" expecting "("'],
    ['or', '(id.in.1,2,id.eq.3)', '(line 1, column 10) unexpected "1" expecting "("'],
  ])('of the tree %s=%s', (operator, text, expected) => {
    expect(words('logic tree', text, operator)).toBe(expected)
  })

  it('is none for what the grammar takes', () => {
    const select = 'a:b->c->>0::int,n:count(),...p!k!inner(*),x.sum()::text,q(r(s),"t u"),y->-1,z->"k-1"'
    expect(words('select parameter', select)).toBeNull()
    expect(words('logic tree', '(a.eq.1,not.and(b.cs.{x,y},c.not.is.null),d.in.(1,"2)"))', 'or')).toBeNull()
    expect(words('order', 'a.desc.nullslast,b->>c,d(e).asc')).toBeNull()
  })

  it('comes for any text, and soon', () => {
    const grammars: readonly Grammar[] = ['select parameter', 'filter', 'logic tree', 'order', 'tree path']
    const piece = fc.constantFrom(
      'a',
      '(',
      ')',
      ',',
      '.',
      '->',
      '"',
      '!',
      '...',
      'not.',
      'or',
      '::',
      ' ',
      '{',
      'é',
      '👩',
      '-',
      'in',
      'eq',
    )
    fc.assert(
      fc.property(fc.constantFrom(...grammars), fc.array(piece, { maxLength: 400 }), (grammar, pieces) => {
        const started = performance.now()
        refusalOf(grammar, pieces.join(''))
        expect(performance.now() - started).toBeLessThan(2_000)
      }),
      runs(200),
    )
    for (const text of [
      'a('.repeat(900),
      '('.repeat(1_900),
      'a(b,'.repeat(480),
      'or('.repeat(600),
      '"'.repeat(1_999),
    ]) {
      const started = performance.now()
      for (const grammar of grammars) refusalOf(grammar, text, grammar === 'logic tree' ? 'or' : '')
      expect(performance.now() - started).toBeLessThan(2_000)
    }
  })
})
