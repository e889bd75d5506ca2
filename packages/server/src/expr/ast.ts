/**
 * The one condition language: what filters, rules and policies of every dialect parse into. Immutable data, no behaviour.
 *
 * The skeleton (and, or, not, exists, parameters, paths) is shared; each leaf carries its semantics, because `eq` does not mean the same
 * in SQL (three-valued, typed by the column), BSON or PocketBase. A back end that cannot do a leaf exactly answers "unsupported".
 */

/** A condition. Under `sql` semantics it is true, false or unknown. */
export type Expr = Constant | And | Or | Not | Compare | Exists

export interface Constant {
  readonly kind: 'constant'
  /** Null is SQL's unknown. */
  readonly value: boolean | null
}

export interface And {
  readonly kind: 'and'
  readonly items: readonly Expr[]
}

export interface Or {
  readonly kind: 'or'
  readonly items: readonly Expr[]
}

export interface Not {
  readonly kind: 'not'
  readonly item: Expr
}

/** `left operator right`, with SQL's meaning: unknown when either side is null, unless the operator says otherwise. */
export interface Compare {
  readonly kind: 'compare'
  readonly semantics: 'sql'
  readonly operator: SqlOperator
  readonly left: Operand
  readonly right: Operand
  /** `= any(array)`: the right side is the text of an array. */
  readonly quantifier?: 'any' | 'all'
  /** Configuration of a full-text operator, for example `french`. */
  readonly language?: string
}

/** Some row of `relation` satisfies `where`; inside, depth 0 is that row and depth 1 the row outside. */
export interface Exists {
  readonly kind: 'exists'
  readonly relation: { readonly schema: string; readonly name: string }
  readonly where: Expr
}

export type Operand = Field | Value | List | Parameter

/** A column of a row, or something inside it. */
export interface Field {
  readonly kind: 'field'
  readonly name: string
  /** Steps into a JSON, composite or array value. */
  readonly path: readonly PathStep[]
  /** The column's type; null until it is looked up in the catalogue. */
  readonly type: FieldType | null
  /** 0 is the row in question; 1 the row outside the nearest `exists`. */
  readonly depth: number
}

export interface PathStep {
  readonly step: 'key' | 'index'
  readonly value: string
  /** `->>`: the result is text. */
  readonly asText: boolean
}

/** What back ends need to know of a column. */
export interface FieldType {
  /** Base type without modifiers, in Postgres's spelling: `integer`, `timestamp with time zone`. */
  readonly name: string
  /** Name of the collation, null for types without. */
  readonly collation: string | null
  /** Labels, when it is an enum. */
  readonly enumLabels: readonly string[]
  readonly nullable: boolean
}

/** A constant, as text that the other side's type reads. */
export interface Value {
  readonly kind: 'value'
  readonly text: string | null
}

/** The right side of `in`. */
export interface List {
  readonly kind: 'list'
  readonly values: readonly string[]
}

/** To be filled in later, for example `['claims', 'sub']`; see `bind`. */
export interface Parameter {
  readonly kind: 'parameter'
  readonly path: readonly string[]
}

/** `is` takes one of the values null, not_null, true, false, unknown. */
export type SqlOperator =
  | 'eq'
  | 'neq'
  | 'gt'
  | 'gte'
  | 'lt'
  | 'lte'
  | 'like'
  | 'ilike'
  | 'match'
  | 'imatch'
  | 'in'
  | 'is'
  | 'isdistinct'
  | 'contains'
  | 'contained'
  | 'overlaps'
  | 'strictlyLeft'
  | 'strictlyRight'
  | 'notExtendsRight'
  | 'notExtendsLeft'
  | 'adjacent'
  | 'fts'
  | 'plainFts'
  | 'phraseFts'
  | 'webFts'

export const TRUE: Constant = { kind: 'constant', value: true }
export const FALSE: Constant = { kind: 'constant', value: false }
export const UNKNOWN: Constant = { kind: 'constant', value: null }

/** A field of the row in question. */
export const field = (name: string, type: FieldType | null = null, path: readonly PathStep[] = []): Field => ({
  kind: 'field',
  name,
  path,
  type,
  depth: 0,
})

export const value = (text: string | null): Value => ({ kind: 'value', text })

export const compare = (operator: SqlOperator, left: Operand, right: Operand): Compare => ({
  kind: 'compare',
  semantics: 'sql',
  operator,
  left,
  right,
})

/** Conjunction, flattened; the empty one is true. */
export const and = (items: readonly Expr[]): Expr => {
  const flat = items.flatMap((item) => (item.kind === 'and' ? item.items : [item]))
  const [only, ...others] = flat
  if (only === undefined) return TRUE
  return others.length === 0 ? only : { kind: 'and', items: flat }
}

/** Disjunction, flattened; the empty one is false. */
export const or = (items: readonly Expr[]): Expr => {
  const flat = items.flatMap((item) => (item.kind === 'or' ? item.items : [item]))
  const [only, ...others] = flat
  if (only === undefined) return FALSE
  return others.length === 0 ? only : { kind: 'or', items: flat }
}

export const not = (item: Expr): Expr => (item.kind === 'not' ? item.item : { kind: 'not', item })
