/** Subscribers who ask for the same rows of the same table under the same rights: matched once, however many they are. */
import { createHash } from 'node:crypto'
import type { Relation } from '../db/catalog/catalog.ts'
import { and, type Expr, TRUE } from '../expr/ast.ts'
import { conjuncts } from '../expr/fold.ts'
import { type Predicate, toPredicate } from '../expr/predicate.ts'
import type { RowOperation } from '../feed/change.ts'
import type { Caller } from '../identity/caller.ts'
import { Bag } from '../kernel/bag.ts'
import { type IndexKey, indexKeys } from './index-keys.ts'

/** SQL that only Postgres can evaluate, with the rights and claims of a class of callers. */
export interface OpaqueCheck {
  /** Callers with the same key get the same answers. */
  readonly key: string
  /** A condition about a row named like the relation. */
  readonly text: string
  /** Null: as the owner (for conditions of a publication). */
  readonly caller: Caller | null
}

export interface GroupSpec {
  readonly relation: Relation
  /** Which operations its members want; members that want others form another group. */
  readonly operations: ReadonlySet<RowOperation>
  /** Everything that could be read: filter, policies, the publication's row filter. */
  readonly expr: Expr
  readonly opaque: readonly OpaqueCheck[]
  /** The publication's row filter, kept apart: an update that takes a row across it is told as an insert or a delete. Null when there is none. */
  readonly rowFilter: Expr | null
}

/** One distinct question about rows of one table. `M` is what its owner keeps per subscriber. */
export class Group<M extends object> {
  readonly key: string
  readonly spec: GroupSpec
  /** Where the matcher files it; null: tried on every change of the table. */
  readonly keys: readonly IndexKey[] | null
  readonly members = new Bag<M>()
  /** Marks the group as found for the change that is being matched. */
  stamp = 0
  /** Whether it was found under a value that makes its condition true. */
  proven = false
  #compiled: Compiled | null = null
  #rowFilter: Predicate | null = null

  constructor(spec: GroupSpec, prefix = '') {
    this.spec = spec
    this.key = groupKey(spec, prefix)
    const { relation, expr } = spec
    const unique = new Set(relation.uniqueKeys.filter((key) => key.columns.length === 1).flatMap((key) => key.columns))
    this.keys = indexKeys(expr, (column) => unique.has(column))
  }

  /** Decides in JavaScript what it can. Compiled when first needed: most groups are proved by the index and never are. */
  get predicate(): Predicate {
    this.#compiled ??= compile(this.spec.expr)
    return this.#compiled.predicate
  }

  /** Whether the publication publishes a row. */
  get publishes(): Predicate {
    this.#rowFilter ??= predicateOf(this.spec.rowFilter ?? TRUE)
    return this.#rowFilter
  }

  /** What JavaScript cannot decide; null when nothing is left. */
  get rest(): Expr | null {
    this.#compiled ??= compile(this.spec.expr)
    return this.#compiled.rest
  }
}

interface Compiled {
  readonly predicate: Predicate
  readonly rest: Expr | null
}

const compile = (expr: Expr): Compiled => {
  const parts = conjuncts(expr)
  const decidable = parts.filter((part) => toPredicate(part) !== 'unsupported')
  return {
    predicate: predicateOf(and(decidable)),
    rest: decidable.length === parts.length ? null : and(parts.filter((part) => !decidable.includes(part))),
  }
}

const predicateOf = (expr: Expr): Predicate => {
  const predicate = toPredicate(expr)
  return predicate === 'unsupported' ? () => 'unsupported' : predicate
}

/** Identifies the question. A digest, because conditions with many keys are long and every group keeps its own. */
export const groupKey = ({ relation, operations, expr, opaque, rowFilter }: GroupSpec, prefix = ''): string =>
  createHash('sha1')
    .update(
      JSON.stringify([
        prefix,
        relation.oid,
        [...operations].sort(),
        expr,
        opaque.map((check) => [check.key, check.text]),
        rowFilter,
      ]),
    )
    .digest('base64')
