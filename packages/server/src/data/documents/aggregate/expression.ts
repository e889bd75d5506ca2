/** Aggregation expressions, compiled once and evaluated per document. Undefined stands for what is missing. Pure. */
import { type Doc, docOf, fieldOf, isArray, isDoc, isNumber, toNumber, type Value } from '../../../expr/bson/value.ts'
import { DocumentError } from '../errors.ts'

export type Maybe = Value | undefined

/** What an expression sees. */
export interface Scope {
  readonly root: Doc
  /** `$$name`. */
  readonly variables: ReadonlyMap<string, Maybe>
}

export type Evaluate = (scope: Scope) => Maybe
export type Compile = (expression: Value) => Evaluate

/** An operator: its argument as it stands in the pipeline, into a function of a scope. */
export type Operator = (argument: Value, compile: Compile, name: string) => Evaluate
export type Operators = Readonly<Record<string, Operator>>

export const bad = (message: string): DocumentError => new DocumentError('invalid_param', message)
export const failed = (message: string): DocumentError => new DocumentError('failed_operation', message)

/** Nothing: null or missing. */
export const isNull = (value: Maybe): value is null | undefined => value === undefined || value === null

/** What counts as true: everything but false, zero, null and missing. */
export const isTruthy = (value: Maybe): boolean =>
  !(isNull(value) || value === false || (isNumber(value) && toNumber(value) === 0))

/** An operator with a fixed number of arguments, given as an array (or alone, when it takes one). */
export const fixed =
  (
    count: number | readonly [min: number, max: number],
    apply: (values: readonly Maybe[], name: string) => Maybe,
  ): Operator =>
  (argument, compile, name) => {
    const [min, max] = typeof count === 'number' ? [count, count] : count
    const parts = isArray(argument) ? argument : [argument]
    if (parts.length < min || parts.length > max)
      throw bad(
        `Expression ${name} takes ${min === max ? `exactly ${min}` : `${min} to ${max}`} arguments. ${parts.length} were passed in.`,
      )
    const evaluates = parts.map(compile)
    return (scope) => apply(evaluates.map((evaluate) => evaluate(scope)), name) // biome-ignore format: one sentence
  }

/** An operator with any number of arguments. */
export const variadic = (apply: (values: readonly Maybe[], name: string) => Maybe): Operator =>
  fixed([0, Number.POSITIVE_INFINITY], apply)

/** An operator with named arguments. */
export const named =
  (
    names: readonly string[],
    required: readonly string[],
    apply: (values: NamedValues, name: string) => Maybe,
  ): Operator =>
  (argument, compile, name) => {
    if (!isDoc(argument)) throw bad(`${name} only supports an object as its argument`)
    for (const key of Object.keys(argument))
      if (!names.includes(key)) throw bad(`Unrecognized argument to ${name}: ${key}`)
    for (const key of required) if (!Object.hasOwn(argument, key)) throw bad(`Missing '${key}' parameter to ${name}`)
    const evaluates = Object.entries(argument).map(([key, value]) => [key, compile(value)] as const)
    return (scope) => apply(new Map(evaluates.map(([key, evaluate]) => [key, evaluate(scope)])), name)
  }

export type NamedValues = ReadonlyMap<string, Maybe>

/** The fields that `$a.b` leads to: documents in an array are entered (arrays in arrays are not), and numeric steps are names. */
export const fieldPath = (value: Maybe, path: readonly string[]): Maybe => {
  const [step, ...rest] = path
  if (step === undefined) return value
  if (isDoc(value)) return fieldPath(fieldOf(value, step), rest)
  if (!isArray(value)) return undefined
  return value.flatMap((each) => {
    const inner = isDoc(each) ? fieldPath(each, path) : undefined
    return inner === undefined ? [] : [inner]
  })
}

/** A scope with more variables. */
export const withVariables = (scope: Scope, entries: Iterable<readonly [string, Maybe]>): Scope => ({
  root: scope.root,
  variables: new Map([...scope.variables, ...entries]),
})

const SYSTEM = new Set(['ROOT', 'CURRENT', 'NOW', 'REMOVE', 'DESCEND', 'PRUNE', 'KEEP'])
const MAX_DEPTH = 100

/** Makes a compiler for these operators. */
export const compiler = (operators: Operators): Compile => {
  const compileAt =
    (depth: number): Compile =>
    (expression) => {
      if (depth > MAX_DEPTH) throw bad(`an expression may be nested ${MAX_DEPTH} levels deep`)
      if (typeof expression === 'string') return textExpression(expression)
      if (isArray(expression)) return arrayExpression(expression.map(compileAt(depth + 1)))
      return isDoc(expression) ? docExpression(expression, operators, compileAt(depth + 1)) : () => expression
    }
  return compileAt(0)
}

const textExpression = (text: string): Evaluate => {
  if (!text.startsWith('$')) return () => text
  if (!text.startsWith('$$')) {
    const path = pathSteps(text.slice(1))
    return ({ root }) => fieldPath(root, path)
  }
  const [name = '', ...path] = pathSteps(text.slice(2))
  if (!/^[a-z\u0080-\uffff][\w\u0080-\uffff]*$/.test(name) && !SYSTEM.has(name))
    throw bad(`'${name}' is not a valid variable name`)
  return (scope) => fieldPath(variable(scope, name), path)
}

const variable = ({ root, variables }: Scope, name: string): Maybe => {
  if (name === 'ROOT' || name === 'CURRENT') return variables.has(name) ? variables.get(name) : root
  if (name === 'REMOVE') return undefined
  if (!variables.has(name)) throw bad(`Use of undefined variable: ${name}`)
  return variables.get(name)
}

const pathSteps = (text: string): readonly string[] => {
  const steps = text.split('.')
  if (steps.includes('') || steps.length > MAX_DEPTH) throw bad(`'$${text}' is not a field path`)
  return steps
}

const arrayExpression =
  (items: readonly Evaluate[]): Evaluate =>
  (scope) =>
    items.map((evaluate) => evaluate(scope) ?? null)

const docExpression = (expression: Doc, operators: Operators, compile: Compile): Evaluate => {
  const entries = Object.entries(expression)
  const [first] = entries
  if (first?.[0].startsWith('$')) {
    const [name, argument] = first
    if (entries.length > 1) throw bad('an object representing an expression must have exactly one field')
    const operator = Object.hasOwn(operators, name) ? operators[name] : undefined
    if (operator === undefined) throw new DocumentError('invalid_operator', `Unrecognized expression '${name}'`)
    return operator(argument, compile, name)
  }
  const fields = entries.map(([name, value]) => [name, compile(value)] as const)
  return (scope) =>
    docOf(
      fields.flatMap(([name, evaluate]) => {
        const value = evaluate(scope)
        return value === undefined ? [] : [[name, value] as const]
      }),
    )
}
