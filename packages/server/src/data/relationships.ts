/** Which relations can be embedded in which: through foreign keys, views, junctions and functions. Derived once per catalogue. */
import type { Catalog, ForeignKey, FunctionInfo, Relation } from '../db/catalog/catalog.ts'

export type Cardinality = 'many-to-one' | 'one-to-many' | 'one-to-one' | 'many-to-many'

/** Pairs of columns that must be equal: [column of the near side, column of the far side]. */
export type ColumnPairs = readonly (readonly [string, string])[]

export type Relationship = KeyRelationship | ComputedRelationship

export interface KeyRelationship {
  readonly kind: 'key'
  readonly origin: Relation
  readonly target: Relation
  readonly cardinality: Cardinality
  readonly constraint: string
  /** Origin column, target column. Empty for many-to-many. */
  readonly pairs: ColumnPairs
  /** For one-to-one: whether the foreign key is on the target's side. */
  readonly inverse: boolean
  readonly junction: Junction | null
}

export interface Junction {
  readonly relation: Relation
  readonly originConstraint: string
  readonly targetConstraint: string
  /** Origin column, junction column. */
  readonly originPairs: ColumnPairs
  /** Target column, junction column. */
  readonly targetPairs: ColumnPairs
}

/** A function from a row of the origin to rows of the target. */
export interface ComputedRelationship {
  readonly kind: 'computed'
  readonly origin: Relation
  readonly target: Relation
  readonly function: FunctionInfo
  readonly toOne: boolean
}

export const isToOne = (relationship: Relationship): boolean =>
  relationship.kind === 'computed'
    ? relationship.toOne
    : relationship.cardinality === 'many-to-one' || relationship.cardinality === 'one-to-one'

/** All relationships of each relation, by the oid of the origin. */
export type RelationshipMap = ReadonlyMap<number, readonly Relationship[]>

const cache = new WeakMap<Catalog, RelationshipMap>()

export const relationshipsOf = (catalog: Catalog): RelationshipMap => {
  const known = cache.get(catalog)
  if (known !== undefined) return known
  const derived = derive(catalog)
  cache.set(catalog, derived)
  return derived
}

const derive = (catalog: Catalog): RelationshipMap => {
  const direct = catalog.foreignKeys.flatMap((key) => forwardRelationships(catalog, key))
  const both = [...direct, ...direct.map(inverted)]
  const all: Relationship[] = [...both, ...manyToMany(direct), ...computed(catalog)]
  const byOrigin = new Map<number, Relationship[]>()
  for (const relationship of all) {
    const group = byOrigin.get(relationship.origin.oid)
    if (group === undefined) byOrigin.set(relationship.origin.oid, [relationship])
    else group.push(relationship)
  }
  // A computed relationship replaces what foreign keys say of the same name.
  for (const [oid, group] of byOrigin) byOrigin.set(oid, withoutOverridden(group))
  return byOrigin
}

const withoutOverridden = (group: readonly Relationship[]): Relationship[] => {
  const names = new Set(group.flatMap((each) => (each.kind === 'computed' ? [each.function.name] : [])))
  return group.filter((each) => each.kind === 'computed' || !names.has(each.target.name))
}

/** The foreign key itself, and the same between views that show all of its columns. */
const forwardRelationships = (catalog: Catalog, key: ForeignKey): KeyRelationship[] => {
  const origin = catalog.relationById(key.relation)
  const target = catalog.relationById(key.target)
  if (origin === undefined || target === undefined) return []
  const origins = [{ relation: origin, columns: key.columns }, ...viewsShowing(catalog, key.relation, key.columns)]
  const targets = [
    { relation: target, columns: key.targetColumns },
    ...viewsShowing(catalog, key.target, key.targetColumns),
  ]
  return origins.flatMap((from) =>
    targets.map((to) => ({
      kind: 'key',
      origin: from.relation,
      target: to.relation,
      cardinality: key.oneToOne ? 'one-to-one' : 'many-to-one',
      constraint: key.name,
      pairs: from.columns.map((column, index) => [column, to.columns[index] ?? ''] as const),
      inverse: false,
      junction: null,
    })),
  )
}

interface Side {
  readonly relation: Relation
  readonly columns: readonly string[]
}

/** A view may show one column twice: then each combination is a relationship. Bounded, a view has only so many columns. */
const MAX_COMBINATIONS = 16

const viewsShowing = (catalog: Catalog, oid: number, columns: readonly string[]): Side[] =>
  catalog.relations.flatMap((relation) => {
    if (relation.viewColumns.length === 0) return []
    const shown = columns.map((column) =>
      relation.viewColumns
        .filter((each) => each.relation === oid && each.relationColumn === column)
        .map((each) => each.column),
    )
    return combinations(shown).map((names) => ({ relation, columns: names }))
  })

const combinations = (choices: readonly (readonly string[])[]): string[][] =>
  choices.reduce<string[][]>(
    (partial, names) => partial.flatMap((before) => names.map((name) => [...before, name])).slice(0, MAX_COMBINATIONS),
    [[]],
  )

const inverted = (relationship: KeyRelationship): KeyRelationship => ({
  ...relationship,
  origin: relationship.target,
  target: relationship.origin,
  cardinality: relationship.cardinality === 'one-to-one' ? 'one-to-one' : 'one-to-many',
  pairs: relationship.pairs.map(([near, far]) => [far, near] as const),
  inverse: true,
})

/** Two foreign keys of one relation make it a junction when its primary key holds them both. */
const manyToMany = (direct: readonly KeyRelationship[]): KeyRelationship[] => {
  const byOrigin = new Map<number, KeyRelationship[]>()
  for (const each of direct) {
    if (each.cardinality !== 'many-to-one') continue
    byOrigin.set(each.origin.oid, [...(byOrigin.get(each.origin.oid) ?? []), each])
  }
  return [...byOrigin.values()].flatMap((keys) =>
    keys.flatMap((near) => keys.flatMap((far) => junctionBetween(near, far))),
  )
}

const junctionBetween = (near: KeyRelationship, far: KeyRelationship): KeyRelationship[] => {
  if (near.constraint === far.constraint) return []
  const relation = near.origin
  const primary = new Set(relation.primaryKey)
  const used = [...near.pairs, ...far.pairs].map(([column]) => column)
  if (!used.every((column) => primary.has(column))) return []
  const junction: Junction = {
    relation,
    originConstraint: near.constraint,
    targetConstraint: far.constraint,
    originPairs: near.pairs.map(([junctionColumn, column]) => [column, junctionColumn] as const),
    targetPairs: far.pairs.map(([junctionColumn, column]) => [column, junctionColumn] as const),
  }
  return [
    {
      kind: 'key',
      origin: near.target,
      target: far.target,
      cardinality: 'many-to-many',
      constraint: '',
      pairs: [],
      inverse: false,
      junction,
    },
  ]
}

/** Functions from one row to rows: `setof` a relation, or a single row of one. */
const computed = (catalog: Catalog): ComputedRelationship[] =>
  catalog.functions.flatMap((each) => {
    const [argument, ...others] = each.inputs
    if (argument === undefined || others.length > 0 || each.kind !== 'function') return []
    const origin = catalog.relationOfRowType(argument.typeOid)
    const target = catalog.relationOfRowType(each.returns.typeOid)
    if (origin === undefined || target === undefined) return []
    return [{ kind: 'computed', origin, target, function: each, toOne: !each.returns.set || each.returns.rows === 1 }]
  })

/** The relationships that `target` (with `hint`) may mean, seen from `origin`, towards relations of `schema`. */
export const findRelationships = (
  all: RelationshipMap,
  wanted: {
    readonly origin: Relation
    readonly target: string
    readonly hint: string | null
    readonly schema: string
    readonly served?: readonly string[] | undefined
  },
): readonly Relationship[] =>
  (all.get(wanted.origin.oid) ?? []).filter(
    (each) =>
      each.target.schema === wanted.schema &&
      hasServedJunction(each, wanted.served) &&
      (each.kind === 'computed' ? each.function.name === wanted.target : matches(each, wanted.target, wanted.hint)),
  )

/** A junction that nobody may see relates nothing; its views do. */
const hasServedJunction = (each: Relationship, served: readonly string[] | undefined): boolean =>
  each.kind === 'computed' ||
  each.junction === null ||
  served === undefined ||
  served.includes(each.junction.relation.schema)

const matches = (each: KeyRelationship, target: string, hint: string | null): boolean => {
  const self = each.origin.oid === each.target.oid
  if (self) return matchesSelf(each, target, hint)
  const named = target === each.target.name
  // A key's own name means the table that it points at, never a view over it.
  const byKey = each.target.viewColumns.length === 0 && (target === each.constraint || isOnlyNearColumn(each, target))
  if (hint === null) return named || byKey
  return (
    named &&
    (hint === each.constraint ||
      isOnlyNearColumn(each, hint) ||
      isOnlyFarColumn(each, hint) ||
      hint === each.junction?.relation.name)
  )
}

/** One key of a relation to itself is two relationships: by its column's name the parent, by the relation's name the children. */
const matchesSelf = (each: KeyRelationship, target: string, hint: string | null): boolean => {
  const named = target === each.target.name
  if (each.cardinality === 'many-to-many') return named && (hint === null || hint === each.junction?.relation.name)
  const parent = each.cardinality === 'many-to-one' || (each.cardinality === 'one-to-one' && !each.inverse)
  if (hint === null) return parent ? isOnlyNearColumn(each, target) || target === each.constraint : named
  if (parent) return named && isOnlyNearColumn(each, hint) === false && isOnlyFarColumn(each, hint)
  return named && (isOnlyFarColumn(each, hint) || hint === each.constraint)
}

const isOnlyNearColumn = (each: KeyRelationship, name: string): boolean =>
  each.pairs.length === 1 && each.pairs[0]?.[0] === name

const isOnlyFarColumn = (each: KeyRelationship, name: string): boolean =>
  each.pairs.length === 1 && each.pairs[0]?.[1] === name
