/** Subscribers who ask for the same rows of the same table under the same rights: matched once, however many they are. */
import { createHash } from 'node:crypto'
import type { Relation } from '../db/catalog/catalog.ts'
import { and, type Expr } from '../expr/ast.ts'
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
  const predicate = toPredicate(and(decidable))
  return {
    predicate: predicate === 'unsupported' ? () => 'unsupported' : predicate,
    rest: decidable.length === parts.length ? null : and(parts.filter((part) => !decidable.includes(part))),
  }
}

/** Identifies the question. A digest, because conditions with many keys are long and every group keeps its own. */
export const groupKey = ({ relation, operations, expr, opaque }: GroupSpec, prefix = ''): string =>
  createHash('sha1')
    .update(
      JSON.stringify([
        prefix,
        relation.oid,
        [...operations].sort(),
        expr,
        opaque.map((check) => [check.key, check.text]),
      ]),
    )
    .digest('base64')
