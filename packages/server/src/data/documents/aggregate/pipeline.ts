/** What every stage is: documents in, documents out, in memory and within limits. */

import { matches } from '../../../expr/bson/match.ts'
import type { Doc, Value } from '../../../expr/bson/value.ts'
import { DocumentError } from '../errors.ts'
import { parseQuery } from '../parse-query.ts'
import { isTruthy, type Maybe, type Scope } from './expression.ts'
import { compileExpression } from './operators.ts'

/** What stages share while a pipeline runs. */
export interface StageContext {
  readonly variables: ReadonlyMap<string, Maybe>
  /** Documents that may be held at once. */
  readonly most: number
  /** Evaluations that joins may still make. */
  readonly budget: { left: number }
  /** Runs the first stages of a pipeline on a collection as the caller, with what the database can do; see `aggregate.ts`. */
  readonly source: (collection: string, query: Doc) => Promise<readonly Doc[]>
}

export type Stage = (documents: readonly Doc[], context: StageContext) => Promise<readonly Doc[]> | readonly Doc[]

export const scopeOf = (root: Doc, { variables }: StageContext): Scope => ({ root, variables })

/** Refuses what would not fit, instead of filling the memory. */
export const within = (documents: readonly Doc[], { most }: StageContext): readonly Doc[] => {
  if (documents.length <= most) return documents
  throw new DocumentError('result_too_large', `a pipeline may hold ${most} documents`)
}

/** `$match`, also with `$expr` and the variables of a join. */
export const matchStage = (query: Doc): Stage => {
  // Read once without variables, so that mistakes are found before anything runs.
  const read = (expression: Value) => {
    compileExpression(expression)
    return () => true
  }
  parseQuery(query, { expression: read })
  return (documents, context) => {
    const expression = (value: Value) => {
      const evaluate = compileExpression(value)
      return (doc: Doc) => isTruthy(evaluate(scopeOf(doc, context)))
    }
    const condition = parseQuery(query, { expression })
    return documents.filter((doc) => matches(condition, doc))
  }
}
