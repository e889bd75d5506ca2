/** Shows a subscriber's constants to Postgres once, when the subscription is made: what it cannot read would match nothing, without a word. */
import type { Relation } from '../db/catalog/catalog.ts'
import type { Pool } from '../db/pool.ts'
import type { Expr } from '../expr/ast.ts'
import { toPredicate } from '../expr/predicate.ts'
import { toError } from '../kernel/errors.ts'
import { validateExpr, validatePatterns } from './row-checks.sql.ts'

/** Why a condition cannot be evaluated; null when it can. */
export const whyInvalid = async (owner: Pool, relation: Relation, filter: Expr): Promise<string | null> => {
  if (toPredicate(filter) !== 'unsupported') return null
  const { regular, like } = patternsOf(filter)
  if (like.some(endsInEscape)) return 'LIKE pattern must not end with escape character'
  const statements = [validateExpr(relation, filter), ...(regular.length > 0 ? [validatePatterns(regular)] : [])]
  try {
    await owner.batch(statements.map((statement) => ({ ...statement, planKey: '' })))
    return null
  } catch (error) {
    return toError(error).message
  }
}

interface Patterns {
  /** Regular expressions: Postgres compiles one when it first meets a text, and the row that conditions are tried on is all nulls. */
  readonly regular: readonly string[]
  readonly like: readonly string[]
}

const patternsOf = (expr: Expr): Patterns => {
  switch (expr.kind) {
    case 'and':
    case 'or': {
      const parts = expr.items.map(patternsOf)
      return { regular: parts.flatMap(({ regular }) => regular), like: parts.flatMap(({ like }) => like) }
    }
    case 'not':
      return patternsOf(expr.item)
    case 'compare': {
      const { operator, right } = expr
      const texts = right.kind === 'value' && right.text !== null ? [right.text] : []
      return {
        regular: operator === 'match' || operator === 'imatch' ? texts : [],
        like: operator === 'like' || operator === 'ilike' ? texts : [],
      }
    }
    case 'exists':
    case 'constant':
      return { regular: [], like: [] }
  }
}

/** An odd number of backslashes at the end: Postgres says so only to a text that reaches it. */
const endsInEscape = (pattern: string): boolean => (/\\*$/.exec(pattern)?.[0].length ?? 0) % 2 === 1
