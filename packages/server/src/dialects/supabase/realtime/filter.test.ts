/** The filter grammar of postgres_changes. */
import { postgresChangesFilter } from '@supabase/realtime-js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from '../../../../test/arbitraries.ts'
import { parseFilter } from './filter.ts'
import { parseJoin } from './join.ts'

const one = (column: string, op: string, values: readonly string[], negated = false) => ({
  column,
  op,
  negated,
  values,
})

describe('filters', () => {
  it.each([
    ['', []],
    ['id=eq.1', [one('id', 'eq', ['1'])]],
    ['body=eq.a, b', [one('body', 'eq', ['a, b'])]],
    ['body=eq.', [one('body', 'eq', [''])]],
    ['id=gt.0,id=lt.100', [one('id', 'gt', ['0']), one('id', 'lt', ['100'])]],
    ['s=in.(a,"b,c","d\\"e", f)', [one('s', 'in', ['a', 'b,c', 'd"e', ' f'])]],
    ['s=in.()', [one('s', 'in', [])]],
    ['s=not.in.(a)', [one('s', 'in', ['a'], true)]],
    ['d=is.null,t=not.is.true', [one('d', 'is', ['null']), one('t', 'is', ['true'], true)]],
    ['t=like.%a_b%', [one('t', 'like', ['%a_b%'])]],
    ['t=match.^(a|b),n=isdistinct.3', [one('t', 'match', ['^(a|b)']), one('n', 'isdistinct', ['3'])]],
    ['聊=eq.茶', [one('聊', 'eq', ['茶'])]],
    ['at=gte.2024-01-01T00:00:00+08:00', [one('at', 'gte', ['2024-01-01T00:00:00+08:00'])]],
  ])('read %s', (text, expected) => {
    expect(parseFilter(text)).toEqual(expected)
  })

  it.each([
    'id',
    'id=',
    'id=1',
    'id=foo.1',
    '=eq.1',
    'id=eq',
    's=in.a',
    's=in.(a',
    `id=eq.${'x'.repeat(20_000)}`,
    `s=in.(${Array.from({ length: 101 }, (_, n) => n).join()})`,
  ])('refuse %.30s', (text) => {
    expect(parseFilter(text)).toHaveProperty('error')
  })

  it('read what the official builder writes', () => {
    const value = fc.string({ unit: 'grapheme', maxLength: 12 })
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.constantFrom('a', 'b_c', 'D'),
            value,
            // A list of one empty text reads like an empty list, which is what the grammar says it is.
            fc.array(value, { minLength: 1, maxLength: 3 }).filter((list) => list.join('') !== ''),
            fc.boolean(),
          ),
          { minLength: 1, maxLength: 4 },
        ),
        (items) => {
          const builder = postgresChangesFilter()
          const expected = items.map(([column, text, list, useList]) => {
            if (useList) builder.in(column, list)
            else builder.not(column, 'eq', text)
            return useList ? one(column, 'in', [...new Set(list)]) : one(column, 'eq', [text], true)
          })
          const built = builder.build()
          // The builder leaves values alone that look like the next condition only together with a comma, which it quotes.
          expect(parseFilter(built)).toEqual(expected)
        },
      ),
      runs(200),
    )
  })

  it('take linear time for hostile texts', () => {
    const started = performance.now()
    for (const text of [
      `${'a,'.repeat(5000)}`,
      `a=eq.${',"'.repeat(4000)}`,
      `a=in.(${'('.repeat(9000)}`,
      `"${'\\"'.repeat(4000)}`,
    ])
      parseFilter(text)
    expect(performance.now() - started).toBeLessThan(1000)
  })
})

describe('join payloads', () => {
  it('of mini-program clients leave nearly everything out', () => {
    expect(parseJoin({})).toMatchObject({
      private: false,
      presence: { enabled: true, key: null },
      broadcast: { ack: false, self: false },
      bindings: [],
      accessToken: null,
    })
  })

  it('may write booleans as strings', () => {
    expect(
      parseJoin({
        config: { private: 'true', broadcast: { self: 'TRUE', ack: 'false' }, presence: { enabled: 'false' } },
      }),
    ).toMatchObject({
      private: true,
      broadcast: { self: true, ack: false },
      presence: { enabled: false },
    })
  })

  it.each([
    { config: [] },
    { config: 'x' },
    { config: { postgres_changes: {} } },
    { config: { postgres_changes: [1] } },
    { config: { broadcast: [] } },
    { config: { presence: { key: 'k'.repeat(5000) } } },
  ])('of a wrong shape are refused: %j', (payload) => {
    expect(parseJoin(payload)).toHaveProperty('error')
  })

  it('keep a wrong binding, with its reason', () => {
    const sent = { event: 'NOPE', schema: 'public', table: 3 }
    expect(parseJoin({ config: { postgres_changes: [sent] } })).toMatchObject({
      bindings: [{ sent, error: expect.stringContaining('NOPE') }],
    })
  })
})
