/** Reading the origin of view columns out of a stored query tree. */
import { describe, expect, it } from 'vitest'
import { parseTargetList } from './view-columns.ts'

const entry = (fields: string): string => `{TARGETENTRY :expr {VAR :varno 1 :varattno 1} ${fields}}`

describe('parseTargetList', () => {
  it('answers where each column came from', () => {
    const tree = `({QUERY :commandType 1 :rtable ({RTE :eref {ALIAS :aliasname t}}) :targetList (${entry(
      ':resno 1 :resname id :ressortgroupref 0 :resorigtbl 16390 :resorigcol 3 :resjunk false',
    )}) :override 0})`
    expect(parseTargetList(tree)).toEqual([{ position: 1, relation: 16390, column: 3 }])
  })

  it('ignores expressions, junk entries and the target lists of subqueries', () => {
    const inner = `{QUERY :targetList (${entry(':resno 9 :resname x :resorigtbl 7 :resorigcol 7 :resjunk false')})}`
    const tree = `({QUERY :rtable ({RTE :subquery ${inner}}) :targetList (${entry(
      ':resno 1 :resname sum :resorigtbl 0 :resorigcol 0 :resjunk false',
    )} ${entry(':resno 2 :resname id :resorigtbl 5 :resorigcol 1 :resjunk true')}) :a 1})`
    expect(parseTargetList(tree)).toEqual([])
  })

  it('is not misled by a column named like a field, or by protected characters', () => {
    const tree = `({QUERY :targetList (${entry(
      ':resno 4 :resname :resorigtbl :resorigtbl 8 :resorigcol 2 :resjunk false',
    )} ${entry(':resno 5 :resname a\\ \\}b :resorigtbl 8 :resorigcol 1 :resjunk false')})})`
    expect(parseTargetList(tree)).toEqual([
      { position: 4, relation: 8, column: 2 },
      { position: 5, relation: 8, column: 1 },
    ])
  })
})
