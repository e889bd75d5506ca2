/** Prefer, Accept, bodies and configuration: the small parsers around the grammar. */
import { describe, expect, it } from 'vitest'
import { readArguments, readRows } from './body.ts'
import { negotiate, parseAccept, parseMediaType } from './media.ts'
import { appliedPreferences, parsePrefer } from './prefer.ts'
import { contentRange } from './respond.ts'

const none = { plans: true, handler: () => null }

describe('Prefer', () => {
  it('takes the first of a repeated preference and sets aside what it does not know', () => {
    const preferences = parsePrefer(
      'return=minimal, return=representation,count=exact, foo=bar, count=many',
      () => false,
    )
    expect(preferences).toMatchObject({ returning: 'minimal', count: 'exact', invalid: ['foo=bar', 'count=many'] })
    expect(appliedPreferences(preferences)).toBe('return=minimal, count=exact')
  })
  it('is not fooled by names of the prototype', () => {
    expect(parsePrefer('constructor=x, __proto__=y', () => false).invalid).toEqual(['constructor=x', '__proto__=y'])
  })
})

describe('Accept', () => {
  it('orders by weight and leaves out what is refused', () => {
    expect(parseAccept('text/csv;q=0.2, application/json, image/png;q=0').map(({ name }) => name)).toEqual([
      'application/json',
      'text/csv',
    ])
  })
  it('keeps quoted parameters together', () => {
    expect(
      parseMediaType('application/vnd.pgrst.plan+json; for="text/csv;x=1"; options=analyze').parameters.get('for'),
    ).toBe('text/csv;x=1')
  })
  it('labels a plan with what it is for', () => {
    expect(
      negotiate(parseAccept('application/vnd.pgrst.plan; for="text/csv"; options=wal|analyze|junk'), none),
    ).toMatchObject({
      contentType: 'application/vnd.pgrst.plan+text; for="text/csv"; options=analyze|wal; charset=utf-8',
      plan: { format: 'text', flags: ['analyze', 'wal'] },
    })
  })
})

describe('bodies', () => {
  const rows = (text: string, type?: string, columns: readonly string[] | null = null) =>
    readRows(Buffer.from(text), type, columns)
  it('name the columns by the keys, which must agree', () => {
    expect(rows('[{"a":1,"b":2},{"b":3,"a":4}]').columns).toEqual(['a', 'b'])
    expect(() => rows('[{"a":1},{"b":2}]')).toThrow('All object keys must match')
    expect(rows('[{"a":1},{"b":2}]', undefined, ['a']).columns).toEqual(['a'])
    expect(rows('5')).toEqual({ json: '[]', columns: [] })
  })
  it('read CSV with quotes, line breaks and NULL', () => {
    expect(JSON.parse(rows('a,b\r\n"x ""y""\nz",NULL\r\n', 'text/csv').json)).toEqual([{ a: 'x "y"\nz', b: null }])
    expect(JSON.parse(rows('a,b\n1,', 'text/csv').json)).toEqual([{ a: '1', b: '' }])
  })
  it('refuse what is no UTF-8', () => {
    expect(() => readRows(Buffer.from([0xc3, 0x28]), undefined, null)).toThrow('Empty or invalid json')
  })
  it('are arguments: an empty one means none', () => {
    expect(readArguments(Buffer.alloc(0), undefined, null)).toEqual({ kind: 'json', json: '{}', keys: [] })
  })
})

describe('Content-Range', () => {
  it('has a star for no rows and for no total', () => {
    expect(contentRange(0n, 4n, null)).toBe('0-4/*')
    expect(contentRange(0n, -1n, 0n)).toBe('*/0')
    expect(contentRange(3n, 2n, 3n)).toBe('*/3')
  })
})
