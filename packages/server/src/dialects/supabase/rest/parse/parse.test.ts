/** The grammar: what it accepts, where it stops, and that it stays linear. */
import { describe, expect, it } from 'vitest'
import { RestError } from '../errors.ts'
import { parseFilter, parseTree } from './filter.ts'
import { parseOrder } from './order.ts'
import { parsePairs, parseQuery } from './params.ts'
import { parseSelect } from './select.ts'

const refusal = (work: () => unknown) => {
  try {
    work()
  } catch (error) {
    if (error instanceof RestError) return error.answer.body
    throw error
  }
  throw new Error('expected a refusal')
}

describe('select', () => {
  it('reads aliases, paths, casts, aggregates and embeds', () => {
    expect(parseSelect('a:b->c->>0::int,n:count(),...p!k!inner(*),x.sum()::text')).toMatchObject([
      {
        name: 'b',
        alias: 'a',
        cast: 'int',
        path: [
          { step: 'key', value: 'c', asText: false },
          { step: 'index', value: '0', asText: true },
        ],
      },
      { name: '*', alias: 'n', aggregate: { name: 'count' } },
      { kind: 'embed', target: 'p', hint: 'k', join: 'inner', spread: true, items: [{ name: '*' }] },
      { name: 'x', aggregate: { name: 'sum', cast: 'text' } },
    ])
  })

  it('keeps dashes in names and takes quoted names as they are', () => {
    expect(parseSelect('a-b,"x,\\"y"')).toMatchObject([{ name: 'a-b' }, { name: 'x,"y' }])
  })

  it('says where it stopped', () => {
    expect(refusal(() => parseSelect('id)'))).toMatchObject({
      code: 'PGRST100',
      message: '"failed to parse select parameter (id))" (line 1, column 3)',
    })
  })
})

describe('filters', () => {
  it('negate, quantify and name a language', () => {
    const target = { name: 'a', path: [] }
    expect(parseFilter(target, 'not.like(any).{a*}')).toMatchObject({
      kind: 'not',
      item: { operator: 'like', quantifier: 'any', right: { text: '{a%}' } },
    })
    expect(parseFilter(target, 'wfts(english).a b')).toMatchObject({ operator: 'webFts', language: 'english' })
    expect(parseFilter(target, 'eq.a.b,c)')).toMatchObject({ right: { text: 'a.b,c)' } })
    expect(parseFilter(target, 'in.("a,b",c,"d)e")')).toMatchObject({ right: { values: ['a,b', 'c', 'd)e'] } })
  })

  it('nest in trees, where values end at commas and parentheses', () => {
    expect(parseTree('or', false, '(a.eq.1,not.and(b.cs.{x,y},c.not.is.null))')).toMatchObject({
      kind: 'or',
      items: [
        { operator: 'eq' },
        {
          kind: 'not',
          item: { kind: 'and', items: [{ operator: 'contains', right: { text: '{x,y}' } }, { kind: 'not' }] },
        },
      ],
    })
  })
})

describe('order', () => {
  it('reads directions, nulls and related columns', () => {
    expect(parseOrder('a.desc.nullslast,b->>c,d(e).asc')).toMatchObject([
      { name: 'a', direction: 'desc', nulls: 'last' },
      { name: 'b', path: [{ value: 'c' }], direction: null },
      { relation: 'd', name: 'e', direction: 'asc' },
    ])
  })
})

describe('query strings', () => {
  it('keep order and repetitions, and read plus signs as blanks', () => {
    expect(parsePairs('a=1&a=2+3&b=%2B')).toEqual([
      ['a', '1'],
      ['a', '2 3'],
      ['b', '+'],
    ])
  })

  it('put filters at the level that their path names', () => {
    const { node } = parseQuery(parsePairs('select=id,x:kids(id)&x.age=gt.3&x.order=id&x.limit=2&age=lt.9'), false)
    expect(node.where).toMatchObject({ operator: 'lt' })
    expect(node.select[1]).toMatchObject({ alias: 'x', node: { where: { operator: 'gt' }, limit: 2n } })
  })

  it('tell arguments of a function from filters of its result', () => {
    const query = parseQuery(parsePairs('a=1&b=eq.2&c=hello.world'), true)
    expect(query.arguments).toEqual([
      ['a', '1'],
      ['c', 'hello.world'],
    ])
  })
})

describe('cost', () => {
  const repeated = (piece: string) => piece.repeat(Math.floor(200_000 / piece.length))
  // A quadratic parser takes minutes for these; the bound leaves room for a busy machine.
  it.each(['{a,', '"a,', '(', 'and(', '\\"', 'a.eq.{', '"', 'a->', ',', 'é', '-', 'not.'])(
    'stays linear on %s',
    (piece) => {
      const started = performance.now()
      const text = repeated(piece)
      for (const work of [
        () => parseSelect(text),
        () => parseTree('or', false, `(a.in.(${text}`),
        () => parseTree('and', false, `(${text}`),
        () => parseOrder(text),
        () => parseFilter({ name: 'a', path: [] }, `in.(${text}`),
      ]) {
        try {
          work()
        } catch (error) {
          expect(error).toBeInstanceOf(RestError)
        }
      }
      expect(performance.now() - started).toBeLessThan(5_000)
    },
  )
})
