/**
 * Decides whether a request stays within a security rule before it runs: the query must be a provable part of what the rule allows.
 *
 * Rules do not filter rows. A condition on `doc` is proved from the query (`implies`); what row-level security then sees of each row is the
 * floor below this. `get()` may only depend on fields that the query fixes to one value.
 */
import { docImplies } from '../../expr/bson/implies.ts'
import {
  allOf,
  anyOf,
  type DocExpr,
  FALSE,
  factsOf,
  leaf,
  negate,
  type RangeOperator,
  TRUE,
} from '../../expr/bson/query.ts'
import { type Doc, fieldOf, isArray, isDoc, type Value } from '../../expr/bson/value.ts'
import type { Json } from '../../kernel/json.ts'
import type { RuleTree } from './tree.ts'
import { compare, compute, elementOf, isTrue, memberOf, type RuleValue, textOf } from './values.ts'

/** What a rule may look at. */
export interface RuleWorld {
  /** `{openid, uid, loginType}`; null for callers who are nobody. */
  readonly auth: Doc | null
  /** Milliseconds. */
  readonly now: number
  /** `request.data`. */
  readonly data: Doc | undefined
  /** The document, when it is at hand (a new one); else it is known by the query alone. */
  readonly doc: Doc | undefined
  /** `get('database.collection.id')`; undefined when there is no such document. */
  get(path: string): Promise<Doc | undefined>
}

/** A part of a rule: a value, a field of the document in question, a condition on it, or something that cannot be told beforehand. */
type Part =
  | { readonly kind: 'value'; readonly value: RuleValue }
  | { readonly kind: 'field'; readonly path: readonly string[] }
  /** Not `exact`: the rule may allow more than this says, so its negation says nothing. */
  | { readonly kind: 'condition'; readonly expr: DocExpr; readonly exact: boolean }
  | { readonly kind: 'unknown' }

const UNKNOWN: Part = { kind: 'unknown' }
const known = (value: RuleValue): Part => ({ kind: 'value', value })
const condition = (expr: DocExpr, exact = true): Part =>
  expr.kind === 'constant' && exact ? known(expr.value) : { kind: 'condition', expr, exact }

const isExact = (part: Part): boolean => part.kind === 'value' || (part.kind === 'condition' && part.exact)

/** Whether every document that the query can find satisfies the rule. */
export const isAllowed = async (rule: RuleTree, query: DocExpr, world: RuleWorld): Promise<boolean> => {
  const wanted = conditionOf(await new Reader(world, query).read(rule))
  return wanted !== null && docImplies(query, wanted) === 'yes'
}

/** A part where a condition is wanted; null when nothing can be said. */
const conditionOf = (part: Part): DocExpr | null => {
  switch (part.kind) {
    case 'value':
      return isTrue(part.value) ? TRUE : FALSE
    case 'condition':
      return part.expr
    // A field standing alone: it must be there and hold something. The rule language's own "true" is close enough to be proved by equality.
    case 'field':
      return leaf(part.path, { op: 'eq', value: true })
    case 'unknown':
      return null
  }
}

const fromLiteral = (json: Json): Value => (typeof json === 'object' && json !== null ? null : json)

class Reader {
  readonly #world: RuleWorld
  readonly #query: DocExpr

  constructor(world: RuleWorld, query: DocExpr) {
    this.#world = world
    this.#query = query
  }

  async read(tree: RuleTree): Promise<Part> {
    switch (tree.op) {
      case 'literal':
        return known(fromLiteral(tree.value))
      case 'name':
        return this.#name(tree.name)
      case 'member':
        return this.#member(await this.read(tree.of), tree.name)
      case 'element':
        return this.#values([tree.of, tree.index], ([value, index]) => elementOf(value, index))
      case 'get':
        return this.#values(
          [tree.path],
          ([path]) => path,
          (path) => this.#world.get(textOf(path)),
        )
      case 'list':
        return this.#values(tree.items, (items) => items.map((item) => item ?? null))
      case 'template':
        return this.#values(tree.parts, (parts) => parts.map(textOf).join(''))
      case 'compute':
        return this.#values([tree.left, tree.right], ([left, right]) => compute(left, tree.sign, right))
      case 'negative':
        return this.#values([tree.item], ([item]) => compute(0, '-', item))
      case 'compare':
        return this.#compare(await this.read(tree.left), tree.sign, await this.read(tree.right))
      case 'and':
      case 'or':
        return this.#logic(tree.op, tree.left, tree.right)
      case 'not': {
        const inner = await this.read(tree.item)
        const expr = isExact(inner) ? conditionOf(inner) : null
        return expr === null ? UNKNOWN : condition(negate(expr))
      }
      case 'choice':
        return this.#choice(tree)
    }
  }

  #name(name: 'auth' | 'doc' | 'now' | 'request'): Part {
    switch (name) {
      case 'auth':
        return known(this.#world.auth)
      case 'now':
        return known(this.#world.now)
      case 'request':
        return known(this.#world.data === undefined ? null : { data: this.#world.data })
      case 'doc':
        return this.#world.doc === undefined ? { kind: 'field', path: [] } : known(this.#world.doc)
    }
  }

  #member(of: Part, name: string): Part {
    if (of.kind === 'field') return { kind: 'field', path: [...of.path, name] }
    return of.kind === 'value' ? known(memberOf(of.value, name)) : UNKNOWN
  }

  /** A field counts as a value when the query fixes it to one. */
  #fixed(part: Part): Part {
    if (part.kind !== 'field') return part
    for (const fact of factsOf(this.#query)) {
      const same = fact.kind === 'leaf' && fact.path.join('.') === part.path.join('.')
      if (same && fact.test.op === 'eq') return known(fact.test.value)
    }
    return UNKNOWN
  }

  async #values(
    trees: readonly RuleTree[],
    combine: (values: readonly RuleValue[]) => RuleValue,
    then?: (value: RuleValue) => Promise<RuleValue>,
  ): Promise<Part> {
    const values: RuleValue[] = []
    for (const tree of trees) {
      const part = this.#fixed(await this.read(tree))
      if (part.kind !== 'value') return UNKNOWN
      values.push(part.value)
    }
    const combined = combine(values)
    return known(then === undefined ? combined : await then(combined))
  }

  #compare(left: Part, sign: string, right: Part): Part {
    if (left.kind === 'value' && right.kind === 'value') return known(compare(left.value, sign, right.value))
    const test =
      left.kind === 'field' && right.kind === 'value'
        ? fieldTest(left.path, sign, right.value)
        : left.kind === 'value' && right.kind === 'field'
          ? reversedTest(left.value, sign, right.path)
          : null
    if (test !== null) return condition(test)
    const [a, b] = [this.#fixed(left), this.#fixed(right)]
    return a.kind === 'value' && b.kind === 'value' ? known(compare(a.value, sign, b.value)) : UNKNOWN
  }

  async #logic(op: 'and' | 'or', left: RuleTree, right: RuleTree): Promise<Part> {
    const first = await this.read(left)
    // Like the operators themselves: what the left side decides, the right side is not asked about.
    if (first.kind === 'value' && isTrue(first.value) === (op === 'or')) return known(op === 'or')
    const second = await this.read(right)
    const sides = [conditionOf(first), conditionOf(second)].filter((each) => each !== null)
    const exact = isExact(first) && isExact(second)
    if (op === 'and') return sides.length < 2 ? UNKNOWN : condition(allOf(sides), exact)
    return sides.length === 0 ? UNKNOWN : condition(anyOf(sides), exact)
  }

  async #choice(tree: Extract<RuleTree, { op: 'choice' }>): Promise<Part> {
    const decided = this.#fixed(await this.read(tree.if))
    return decided.kind === 'value' ? this.read(isTrue(decided.value) ? tree.then : tree.else) : UNKNOWN
  }
}

const RANGES: Readonly<Record<string, RangeOperator>> = { '<': 'lt', '<=': 'lte', '>': 'gt', '>=': 'gte' }
const MIRRORED: Readonly<Record<string, string>> = {
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
  '==': '==',
  '!=': '!=',
}

const fieldTest = (path: readonly string[], sign: string, value: RuleValue): DocExpr | null => {
  const bound = value ?? null
  if (sign === '==') return leaf(path, { op: 'eq', value: bound })
  if (sign === '!=') return negate(leaf(path, { op: 'eq', value: bound }))
  if (sign === 'in') return isArray(bound) ? leaf(path, { op: 'in', values: bound, patterns: [] }) : null
  const range = RANGES[sign]
  return range === undefined || bound === null ? null : leaf(path, { op: range, value: bound })
}

/** `auth.openid in doc.members`: any-element equality says just that. */
const reversedTest = (value: RuleValue, sign: string, path: readonly string[]): DocExpr | null => {
  if (sign === 'in') return leaf(path, { op: 'eq', value: value ?? null })
  const mirrored = MIRRORED[sign]
  return mirrored === undefined ? null : fieldTest(path, mirrored, value)
}

/** The caller as rules see them. */
export const ruleAuth = (claims: Doc): Doc | null => {
  const openid = fieldOf(claims, 'openid') ?? fieldOf(claims, 'sub')
  if (typeof openid !== 'string') return null
  const app = fieldOf(claims, 'app_metadata')
  const provider = isDoc(app) ? fieldOf(app, 'provider') : undefined
  const anonymous = fieldOf(claims, 'is_anonymous') === true
  return {
    openid,
    uid: fieldOf(claims, 'sub') ?? null,
    loginType: anonymous ? 'ANONYMOUS' : String(typeof provider === 'string' ? provider : 'custom').toUpperCase(),
  }
}
