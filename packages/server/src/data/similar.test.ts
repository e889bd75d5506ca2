/** Suggestions for names that do not exist. */
import { describe, expect, it } from 'vitest'
import { statement } from '../sql/sql.ts'
import { editDistance, mostSimilar, similarColumn } from './similar.ts'
import { typeSql } from './types.ts'

describe('mostSimilar', () => {
  it('finds a near miss and nothing in what is far away', () => {
    expect(mostSimilar('hous', ['house', 'street'])).toBe('house')
    expect(mostSimilar('projectz', ['clients', 'projects'])).toBe('projects')
    expect(mostSimilar('zzz', ['house'])).toBe(null)
  })
})

describe('similarColumn', () => {
  it('follows the rule of Postgres: few edits, fewer than half of the name, and no tie', () => {
    expect(similarColumn('nam', ['name', 'id'])).toBe('name')
    expect(similarColumn('xy', ['name'])).toBe(null)
    expect(similarColumn('cat', ['bat', 'rat'])).toBe(null)
    expect(editDistance('kitten', 'sitting')).toBe(3)
  })
})

describe('typeSql', () => {
  const text = (name: string) => statement('test', typeSql(name)).text
  it('spells what the grammar spells and quotes everything else', () => {
    expect(text('Double  Precision')).toBe('double precision')
    expect(text('TEXT')).toBe('"text"')
    expect(text('int; drop table x')).toBe('"int; drop table x"')
    expect(text('a"b')).toBe('"a""b"')
  })
})
