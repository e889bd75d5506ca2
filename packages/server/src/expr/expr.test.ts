/** The condition language: folding, anchors, implication and the JavaScript back end. */
import { describe, expect, it } from 'vitest'
import { ident, statement } from '../sql/sql.ts'
import { anchorsOf } from './anchors.ts'
import { and, compare, type Expr, FALSE, type FieldType, field, not, or, TRUE, UNKNOWN, value } from './ast.ts'
import { bind, fold } from './fold.ts'
import { implies } from './implies.ts'
import { toPredicate } from './predicate.ts'
import { toSql } from './sql.ts'

const typed = (name: string, collation: string | null = null): FieldType => ({
  name,
  collation,
  enumLabels: [],
  nullable: true,
})
const owner = field('owner', typed('uuid'))
const age = field('age', typed('integer'))
const name = field('name', typed('text', 'default'))
const note = field('note', typed('text', 'my_icu'))

const ME = '5f0c7a3e-0000-4000-8000-00000000000a'
const mine = compare('eq', owner, value(ME))
const older = (text: string): Expr => compare('gt', age, value(text))

const row = (values: Record<string, string | null>) => (column: string) => values[column]

describe('fold', () => {
  it('fills parameters in and keeps unknown apart from false', () => {
    const policy = compare('eq', owner, { kind: 'parameter', path: ['claims', 'sub'] })
    expect(bind(policy, () => ME)).toEqual(mine)
    expect(bind(policy, () => null)).toEqual(UNKNOWN)
    expect(fold(and([UNKNOWN, FALSE]))).toEqual(FALSE)
    expect(fold(or([UNKNOWN, TRUE]))).toEqual(TRUE)
    expect(fold(not(UNKNOWN))).toEqual(UNKNOWN)
    expect(fold(and([TRUE, mine]))).toEqual(mine)
  })
})

describe('toPredicate', () => {
  it('is three-valued', () => {
    const test = toPredicate(not(older('5')))
    if (test === 'unsupported') throw new Error('expected a predicate')
    expect(test(row({ age: '4' }))).toBe(true)
    expect(test(row({ age: '6' }))).toBe(false)
    expect(test(row({ age: null }))).toBe(null)
    expect(test(() => undefined)).toBe('unsupported')
  })

  it('leaves to Postgres what it cannot prove equal', () => {
    expect(toPredicate(compare('gt', name, value('a')))).toBe('unsupported')
    expect(toPredicate(compare('eq', note, value('a')))).toBe('unsupported')
    expect(toPredicate(compare('eq', field('n', typed('numeric')), value('1.0')))).toBe('unsupported')
    expect(toPredicate(compare('like', name, value('a%')))).toBe('unsupported')
    expect(toPredicate(compare('eq', age, value('0x10')))).toBe('unsupported')
  })

  it('compares instants whatever their offset', () => {
    const at = field('at', typed('timestamp with time zone'))
    const test = toPredicate(compare('eq', at, value('2024-01-01T08:00:00.5+08:00')))
    if (test === 'unsupported') throw new Error('expected a predicate')
    expect(test(row({ at: '2024-01-01 00:00:00.5+00' }))).toBe(true)
    expect(test(row({ at: 'infinity' }))).toBe('unsupported')
  })
})

describe('anchorsOf', () => {
  it('finds equality and membership, also through disjunctions on one column', () => {
    expect(anchorsOf(and([mine, older('3')]))).toEqual([{ column: 'owner', keys: [ME] }])
    expect(anchorsOf(or([compare('eq', age, value('1')), compare('eq', age, value('+2'))]))).toEqual([
      { column: 'age', keys: ['1', '2'] },
    ])
    expect(anchorsOf(or([mine, older('3')]))).toEqual([])
    expect(anchorsOf(not(mine))).toEqual([])
  })
})

describe('implies', () => {
  it('says yes only when sure', () => {
    expect(implies(and([mine, older('3')]), mine)).toBe('yes')
    expect(implies(older('5'), older('3'))).toBe('yes')
    expect(implies(older('3'), older('5'))).toBe('unknown')
    expect(implies(compare('eq', age, value('4')), or([mine, older('3')]))).toBe('yes')
    expect(implies(or([mine, older('3')]), mine)).toBe('unknown')
    expect(implies(mine, compare('is', owner, value('not_null')))).toBe('yes')
    expect(implies(compare('eq', name, value('a')), compare('neq', name, value('b')))).toBe('yes')
    expect(implies(FALSE, mine)).toBe('yes')
  })
})

describe('toSql', () => {
  it('never writes a value or a key into the text', () => {
    const evil = "x'; drop table users; --"
    const path = [{ step: 'key', value: evil, asText: true }] as const
    const expr = and([
      compare('eq', field('doc', typed('jsonb'), path), value(evil)),
      compare('in', name, { kind: 'list', values: [evil] }),
    ])
    const { text, values } = statement('test', toSql(expr, { column: (each) => ident('t', each.name) }))
    expect(text).toBe('("t"."doc"->>$1::text = $2 and "t"."name" = any ($3))')
    expect(values).toEqual([evil, evil, `{"${evil}"}`])
  })
})
