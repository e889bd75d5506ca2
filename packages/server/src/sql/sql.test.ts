/** The tag: what becomes a parameter, what becomes text, and how fragments compose. */
import { describe, expect, it } from 'vitest'
import { empty, frag, ident, join, keyword, literal, param, sql, statement } from './sql.ts'

describe('the sql tag', () => {
  it('numbers values as parameters in the order of the text', () => {
    const query = sql('test.two')`select ${1}, ${'two'} where ${true}`
    expect(query).toEqual({ name: 'test.two', text: 'select $1, $2 where $3', values: [1, 'two', true] })
  })

  it('keeps text that looks like SQL a value', () => {
    const query = sql('test.injection')`select * from t where name = ${"'; drop table t; --"}`
    expect(query.text).toBe('select * from t where name = $1')
    expect(query.values).toEqual(["'; drop table t; --"])
  })

  it('splices fragments, also nested ones, and numbers across them', () => {
    const inner = frag`b = ${2} or ${frag`c = ${3}`}`
    expect(sql('test.nested')`select ${1} where ${inner} and d = ${4}`).toEqual({
      name: 'test.nested',
      text: 'select $1 where b = $2 or c = $3 and d = $4',
      values: [1, 2, 3, 4],
    })
  })

  it('binds one value twice when a fragment is used twice', () => {
    const same = frag`${'x'}`
    expect(statement('test.twice', frag`${same} || ${same}`)).toMatchObject({ text: '$1 || $2', values: ['x', 'x'] })
  })

  it('takes null and undefined as null', () => {
    expect(sql('test.null')`select ${null}`.values).toEqual([null])
  })

  it('quotes names and joins the parts of a path', () => {
    expect(statement('n', frag`select * from ${ident('my "schema"', 'Table')}`).text).toBe(
      'select * from "my ""schema"""."Table"',
    )
  })

  it('joins fragments with commas, or with a separator of ours', () => {
    const parts = [frag`a = ${1}`, frag`b = ${2}`, frag`c`]
    expect(statement('n', join(parts)).text).toBe('a = $1, b = $2, c')
    expect(statement('n', join(parts, ' and ')).text).toBe('a = $1 and b = $2 and c')
    expect(statement('n', join([])).text).toBe('')
  })

  it('spells literals and keywords out', () => {
    const ddl = statement('n', frag`alter role x password ${literal("it's")} ${keyword('valid')} ${empty}${param(1)}`)
    expect(ddl).toMatchObject({ text: "alter role x password 'it''s' valid $1", values: [1] })
  })
})
