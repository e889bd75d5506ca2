/** Whether one document condition being true makes another one true. Answers 'yes' only when sure. */
import { compareValues, equalValues, rankOf } from './compare.ts'
import { inRange } from './match.ts'
import { type DocExpr, factsOf, type Leaf, type RangeOperator } from './query.ts'
import type { Value } from './value.ts'

/** Bounds the work on nested disjunctions; past it the answer is 'unknown', which is always safe. */
const MAX_STEPS = 10_000

export const docImplies = (premise: DocExpr, conclusion: DocExpr): 'yes' | 'unknown' => {
  const budget = { steps: 0 }
  return proves(premise, conclusion, budget) ? 'yes' : 'unknown'
}

const proves = (premise: DocExpr, conclusion: DocExpr, budget: { steps: number }): boolean => {
  budget.steps += 1
  if (budget.steps > MAX_STEPS) return false
  if (conclusion.kind === 'constant' && conclusion.value) return true
  if (premise.kind === 'constant' && !premise.value) return true
  if (premise.kind === 'or') return premise.items.every((item) => proves(item, conclusion, budget))
  if (conclusion.kind === 'and') return conclusion.items.every((item) => proves(premise, item, budget))
  const facts = factsOf(premise)
  const goals = conclusion.kind === 'or' ? conclusion.items : [conclusion]
  if (goals.some((goal) => facts.some((fact) => factProves(fact, goal)))) return true
  if (goals.length > 1 && goals.some((goal) => goal.kind === 'and' && proves(premise, goal, budget))) return true
  return facts.some((fact) => fact.kind === 'or' && proves(fact, conclusion, budget))
}

/** Structural sameness; conditions decided by code are never the same. */
const same = (a: DocExpr, b: DocExpr): boolean => a === b || (text(a) === text(b) && !text(a).includes('"op":"custom"'))

const text = (expr: DocExpr): string =>
  JSON.stringify(expr, (_key, value) => (typeof value === 'bigint' ? `${value}n` : value))

const factProves = (fact: DocExpr, goal: DocExpr): boolean => {
  if (fact.kind === 'constant') return !fact.value
  if (same(fact, goal)) return true
  if (fact.kind !== 'leaf') return false
  if (goal.kind === 'leaf') return samePath(fact, goal) && leafProves(fact, goal)
  return goal.kind === 'not' && goal.item.kind === 'leaf' && samePath(fact, goal.item) && excludes(fact, goal.item)
}

/** Read as if the path led to one value: rules compare whole values, and row-level security stays below for documents with arrays. */
const excludes = ({ test: fact }: Leaf, { test: other }: Leaf): boolean => {
  const values = fact.op === 'eq' ? [fact.value] : fact.op === 'in' && fact.patterns.length === 0 ? fact.values : null
  if (values !== null) return decidable(other) && !values.some((value) => valueProves(value, other))
  return isRange(fact) && other.op === 'eq' && !inRange(fact.op, other.value, fact.value)
}

const decidable = (test: Leaf['test']): boolean =>
  isRange(test) || test.op === 'eq' || (test.op === 'in' && test.patterns.length === 0)

const samePath = (a: Leaf, b: Leaf): boolean => a.path.length === b.path.length && a.path.every((step, at) => step === b.path[at]) // biome-ignore format: one sentence

/** Any-element semantics: the element that satisfies the fact must satisfy the goal. */
const leafProves = ({ test: fact }: Leaf, { test: goal }: Leaf): boolean => {
  if (fact.op === 'eq') return valueProves(fact.value, goal)
  if (fact.op === 'in' && fact.patterns.length === 0) return fact.values.every((value) => valueProves(value, goal))
  if (goal.op === 'exists') return provesExistence(fact)
  if (!isRange(fact) || !isRange(goal) || rankOf(fact.value) !== rankOf(goal.value)) return false
  const up = (op: string) => op === 'gt' || op === 'gte'
  if (up(fact.op) !== up(goal.op)) return false
  const order = compareValues(fact.value, goal.value)
  if (order === 0) return goal.op === fact.op || goal.op === 'gte' || goal.op === 'lte'
  return up(fact.op) ? order > 0 : order < 0
}

interface RangeTest {
  readonly op: RangeOperator
  readonly value: Value
}

const isRange = (test: Leaf['test']): test is RangeTest =>
  test.op === 'gt' || test.op === 'gte' || test.op === 'lt' || test.op === 'lte'

const provesExistence = (fact: Leaf['test']): boolean =>
  (isRange(fact) && fact.value !== null) || ['regex', 'mod', 'size', 'elements', 'geo'].includes(fact.op)

const valueProves = (value: Value, goal: Leaf['test']): boolean => {
  switch (goal.op) {
    case 'eq':
      return equalValues(value, goal.value)
    case 'in':
      return goal.values.some((each) => equalValues(each, value))
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return inRange(goal.op, value, goal.value)
    case 'exists':
      return value !== null
    default:
      return false
  }
}
