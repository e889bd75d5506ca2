/** From a subscription and one table to the question that the matcher asks: filter, row-level security and publication as one condition. */
import type { Catalog, Relation } from '../db/catalog/catalog.ts'
import { and, type Expr, TRUE } from '../expr/ast.ts'
import { conjuncts, fold } from '../expr/fold.ts'
import { implies } from '../expr/implies.ts'
import { toPredicate } from '../expr/predicate.ts'
import type { RowOperation } from '../feed/change.ts'
import type { Caller } from '../identity/caller.ts'
import type { PolicyReader } from '../policy/read-policy.ts'
import { selectableColumns } from '../policy/roles.ts'
import { rowVisibility } from '../policy/row-visibility.ts'
import type { Condition } from './condition.ts'
import { toExpr } from './conditions.ts'
import type { GroupSpec, OpaqueCheck } from './group.ts'
import { hasExists, type Membership, membershipOf, type ParameterSet, withKeys } from './parameter-sets.ts'
import { type Projection, type Published, projectionOf } from './projection.ts'

export interface PlanInput {
  readonly catalog: Catalog
  readonly reader: PolicyReader
  readonly relation: Relation
  readonly caller: Caller
  readonly conditions: readonly Condition[]
  /** A further condition, already an expression over the table's columns. */
  readonly where?: Expr
  readonly select: readonly string[] | null
  readonly operations: ReadonlySet<RowOperation>
  readonly published: Published | null
  readonly ownIdentity: readonly string[] | 'full' | null
}

type Exists = Extract<Expr, { kind: 'exists' }>

/** A table's part of a subscription. Memberships become keys once their sets are loaded. */
export interface Plan {
  readonly relation: Relation
  readonly projection: Projection
  /** The subscriber's own conditions, which JavaScript may be unable to decide. */
  readonly filter: Expr
  /** The publication's row filter, where JavaScript can decide it; else it is part of the others. */
  readonly rowFilter: Expr | null
  /** Row-level security as far as it was read. */
  readonly policy: Expr
  readonly memberships: ReadonlyMap<Exists, Membership>
  readonly checks: readonly OpaqueCheck[]
  /** Row-level security admits no row at all. */
  readonly never: boolean
  readonly operations: ReadonlySet<RowOperation>
  /** What to ask Postgres instead when a membership has too many keys. */
  readonly fallback: OpaqueCheck | null
}

/** Plans, or says why the subscription cannot be. */
export const plan = (input: PlanInput): Plan | string => {
  const { catalog, relation, caller, published } = input
  const readable = selectableColumns(catalog, relation, caller.role)
  const filter = toExpr(input.conditions, relation, readable)
  if (typeof filter === 'string') return filter
  const unknown = input.select?.find(
    (name) => relation.column(name) === undefined || (readable !== 'all' && !readable.has(name)),
  )
  if (unknown !== undefined) return `invalid column for select ${unknown}`
  const projection = projectionOf({ ...input, role: caller.role })
  const publication = publicationFilter(input, published?.rowFilter ?? null)
  const rights = rowRights(input)
  return {
    relation,
    projection,
    operations: publishedOperations(input.operations, published),
    filter: and([filter, input.where ?? TRUE, publication.expr].filter((each) => each !== TRUE)),
    rowFilter: publication.rowFilter,
    policy: rights.expr,
    memberships: rights.memberships,
    checks: [...publication.checks, ...rights.checks],
    never: rights.never,
    fallback: rights.fallback,
  }
}

const publishedOperations = (
  wanted: ReadonlySet<RowOperation>,
  published: Published | null,
): ReadonlySet<RowOperation> =>
  new Set([...wanted].filter((operation) => published === null || published[OPERATION_FLAGS[operation]]))

const OPERATION_FLAGS = { INSERT: 'insert', UPDATE: 'update', DELETE: 'delete' } as const

const publicationFilter = (
  { reader, relation, catalog, caller }: PlanInput,
  text: string | null,
): { expr: Expr; rowFilter: Expr | null; checks: readonly OpaqueCheck[] } => {
  if (text === null) return { expr: TRUE, rowFilter: null, checks: [] }
  const expr = reader.read(text, relation, catalog, caller)
  if (expr === null || hasExists(expr))
    return { expr: TRUE, rowFilter: null, checks: [{ key: 'owner', text, caller: null }] }
  return toPredicate(expr) === 'unsupported'
    ? { expr, rowFilter: null, checks: [] }
    : { expr: TRUE, rowFilter: expr, checks: [] }
}

type Rights = Pick<Plan, 'memberships' | 'checks' | 'never' | 'fallback'> & { readonly expr: Expr }

const NOTHING = { memberships: new Map(), checks: [], never: false, fallback: null }

const rowRights = ({ reader, catalog, relation, caller }: PlanInput): Rights => {
  const visibility = rowVisibility(reader, catalog, relation, caller)
  if (visibility.kind === 'all') return { ...NOTHING, expr: TRUE }
  if (visibility.kind === 'none') return { ...NOTHING, expr: TRUE, never: true }
  const { text } = visibility
  const opaque = opaqueCheck(caller, text)
  const asked: Rights = { ...NOTHING, expr: TRUE, checks: [opaque] }
  if (visibility.expr === null) return asked
  const memberships = new Map<Exists, Membership>()
  for (const exists of existsIn(visibility.expr)) {
    const membership = membershipOf(exists, catalog, reader, caller)
    if (membership === null) return asked
    memberships.set(exists, membership)
  }
  // Memberships count as decidable: their keys will be values of a comparable type.
  const undecidable = conjuncts(withKeys(visibility.expr, () => ({ outer: PLACEHOLDER, keys: [] }))).some(
    (part) => toPredicate(part) === 'unsupported',
  )
  return undecidable ? asked : { ...NOTHING, expr: visibility.expr, memberships, fallback: opaque }
}

/**
 * Policies may read any claim, in functions and in the policies of other tables too, so only callers with the same claims are certain to get
 * the same answers.
 */
const opaqueCheck = (caller: Caller, text: string): OpaqueCheck => ({
  key: `${caller.role}\0${caller.claimsText}`,
  text,
  caller,
})

const PLACEHOLDER = { kind: 'field', name: '', path: [], type: null, depth: 0 } as const

const existsIn = (expr: Expr): readonly Exists[] => {
  if (expr.kind === 'exists') return [expr]
  return expr.kind === 'and' || expr.kind === 'or' ? expr.items.flatMap(existsIn) : []
}

/** The question with the sets' present keys; null when no row can satisfy it. */
export const groupSpecOf = (planned: Plan, setOf: (membership: Membership) => ParameterSet): GroupSpec | null => {
  if (planned.never || planned.operations.size === 0) return null
  const { relation, operations, checks, fallback, rowFilter } = planned
  const overflown = [...planned.memberships.values()].some((membership) => setOf(membership).keys === 'too_many')
  if (overflown && fallback !== null)
    return { relation, operations, expr: fold(planned.filter), opaque: [...checks, fallback], rowFilter }
  const policy = withKeys(planned.policy, (exists) => {
    const membership = planned.memberships.get(exists)
    const keys = membership === undefined ? [] : setOf(membership).keys
    return { outer: membership?.outer ?? PLACEHOLDER, keys: keys === 'too_many' ? [] : keys }
  })
  // A filter that is narrower than the policy makes the policy superfluous, and more subscribers share a group.
  const needed = implies(planned.filter, policy) === 'yes' ? TRUE : policy
  const expr = fold(and([planned.filter, needed]))
  if (expr.kind === 'constant' && expr.value !== true) return null
  return { relation, operations, expr, opaque: checks, rowFilter }
}
