/** Expressions that compare, decide and bind. */
import { compareValues } from '../../../expr/bson/compare.ts'
import { fieldOf, isArray, isDoc, type Value } from '../../../expr/bson/value.ts'
import {
  bad,
  type Evaluate,
  failed,
  fixed,
  isNull,
  isTruthy,
  type Maybe,
  type Operator,
  type Operators,
  withVariables,
} from './expression.ts'

/** Across types, and what is missing before null. */
export const compareMaybe = (a: Maybe, b: Maybe): number =>
  (a === undefined) !== (b === undefined) && isNull(a) && isNull(b) ? (a === undefined ? -1 : 1) : compareValues(a, b)

const comparison = (test: (order: number) => boolean): Operator => fixed(2, ([a, b]) => test(compareMaybe(a, b)))

const all =
  (decisive: boolean): Operator =>
  (argument, compile) => {
    const items = (isArray(argument) ? argument : [argument]).map(compile)
    // Stops at the first that decides: later ones may fail on what the first ones excluded.
    return (scope) => items.some((evaluate) => isTruthy(evaluate(scope)) === decisive) === decisive
  }

const cond: Operator = (argument, compile) => {
  const parts = isArray(argument) ? argument : condParts(argument)
  if (parts.length !== 3) throw bad('Expression $cond takes exactly 3 arguments')
  const [test, then, otherwise] = parts.map(compile)
  return (scope) => (isTruthy(test?.(scope)) ? then?.(scope) : otherwise?.(scope))
}

const condParts = (argument: Value): readonly Value[] => {
  if (!isDoc(argument)) throw bad('Expression $cond takes exactly 3 arguments')
  const unknown = Object.keys(argument).find((name) => !['if', 'then', 'else'].includes(name))
  if (unknown !== undefined) throw bad(`Unrecognized parameter to $cond: ${unknown}`)
  return ['if', 'then', 'else'].map((name) => {
    const part = fieldOf(argument, name)
    if (part === undefined) throw bad(`Missing '${name}' parameter to $cond`)
    return part
  })
}

const ifNull: Operator = (argument, compile) => {
  if (!isArray(argument) || argument.length < 2) throw bad('$ifNull needs at least two arguments')
  const items = argument.map(compile)
  return (scope) => {
    let value: Maybe
    for (const evaluate of items) {
      value = evaluate(scope)
      if (!isNull(value)) return value
    }
    return value
  }
}

const switchOf: Operator = (argument, compile) => {
  const branches = isDoc(argument) ? fieldOf(argument, 'branches') : undefined
  if (!isDoc(argument) || !isArray(branches) || branches.length === 0) throw bad('$switch requires at least one branch')
  const cases = branches.map((branch) => {
    const [test, then] = isDoc(branch) ? [fieldOf(branch, 'case'), fieldOf(branch, 'then')] : []
    if (test === undefined || then === undefined) throw bad('$switch requires each branch to have a case and a then')
    return { test: compile(test), value: compile(then) }
  })
  const fallback = fieldOf(argument, 'default')
  const otherwise: Evaluate =
    fallback === undefined
      ? () => {
          throw failed('$switch could not find a matching branch for an input, and no default was specified')
        }
      : compile(fallback)
  return (scope) => (cases.find(({ test }) => isTruthy(test(scope)))?.value ?? otherwise)(scope)
}

const letIn: Operator = (argument, compile) => {
  const [vars, body] = isDoc(argument) ? [fieldOf(argument, 'vars'), fieldOf(argument, 'in')] : []
  if (!isDoc(vars) || body === undefined) throw bad("$let needs 'vars' and 'in'")
  const entries = Object.entries(vars).map(([name, value]) => [name, compile(value)] as const)
  const inner = compile(body)
  return (scope) => inner(withVariables(scope, entries.map(([name, evaluate]) => [name, evaluate(scope)]))) // biome-ignore format: one sentence
}

export const LOGIC: Operators = {
  $and: all(false),
  $or: all(true),
  $not: fixed(1, ([value]) => !isTruthy(value)),
  $cmp: fixed(2, ([a, b]) => Math.sign(compareMaybe(a, b))),
  $eq: comparison((order) => order === 0),
  $ne: comparison((order) => order !== 0),
  $neq: comparison((order) => order !== 0),
  $gt: comparison((order) => order > 0),
  $gte: comparison((order) => order >= 0),
  $lt: comparison((order) => order < 0),
  $lte: comparison((order) => order <= 0),
  $cond: cond,
  $ifNull: ifNull,
  $switch: switchOf,
  $let: letIn,
  $literal: (argument) => () => argument,
}
