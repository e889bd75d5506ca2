/** MongoDB's update language applied to one document in memory. Pure: the caller holds the row's lock. */
import { compareValues, equalValues } from '../../../expr/bson/compare.ts'
import { type DocExpr, factsOf } from '../../../expr/bson/query.ts'
import {
  DateTime,
  type Doc,
  fieldOf,
  integer,
  isDoc,
  isNumber,
  long,
  newDoc,
  numberKind,
  typeName,
  type Value,
} from '../../../expr/bson/value.ts'
import { writable, writableDoc } from '../content.ts'
import { DocumentError } from '../errors.ts'
import { writablePath } from '../paths.ts'
import { addToSet, asDoc, pop, pull, pullAll, push } from './arrays.ts'
import { compute, PLUS, TIMES, wholeOf } from './numbers.ts'
import { readAt, removeAt, writeAt } from './places.ts'

/** An update that was read and makes sense by itself. */
export interface Update {
  /** A whole document instead of operators. */
  readonly replacement: Doc | null
  readonly steps: readonly Step[]
}

export interface Step {
  readonly operator: Operator
  readonly field: string
  readonly path: readonly string[]
  readonly argument: Value
}

const OPERATORS = [
  '$set',
  '$setOnInsert',
  '$unset',
  '$inc',
  '$mul',
  '$min',
  '$max',
  '$rename',
  '$bit',
  '$currentDate',
  '$push',
  '$pop',
  '$addToSet',
  '$pull',
  '$pullAll',
] as const
type Operator = (typeof OPERATORS)[number]

const isOperator = (name: string): name is Operator => OPERATORS.some((each) => each === name)

/** Operators whose argument is not stored as it is. */
const CONDITIONS: readonly Operator[] = ['$pull', '$push', '$addToSet', '$bit', '$currentDate', '$unset', '$rename']

const bad = (message: string): DocumentError => new DocumentError('invalid_param', message)
const failed = (message: string): DocumentError => new DocumentError('failed_operation', message)

/** Reads an update. Throws `invalid_operator` and `invalid_param`. */
export const parseUpdate = (update: Doc, now: number): Update => {
  const names = Object.keys(update)
  const operators = names.filter((name) => name.startsWith('$'))
  if (operators.length === 0) return { replacement: writableDoc(update, now), steps: [] }
  if (operators.length < names.length) throw bad('an update has operators or fields, not both')
  const steps = Object.entries(update).flatMap(([name, content]) => {
    if (!isOperator(name)) throw new DocumentError('invalid_operator', `Unknown modifier: ${name}`)
    return Object.entries(asDoc(content, name)).map(([field, argument]) => stepOf(name, field, argument, now))
  })
  refuseConflicts(steps)
  return { replacement: null, steps }
}

const stepOf = (operator: Operator, field: string, argument: Value, now: number): Step => ({
  operator,
  field,
  path: writablePath(field),
  argument: CONDITIONS.includes(operator) ? withDates(argument, now) : writable(argument, now),
})

/** Modifiers begin with `$`; what they carry does not. */
const withDates = (argument: Value, now: number): Value => {
  if (!isDoc(argument)) return writable(argument, now)
  const result = newDoc()
  for (const [name, value] of Object.entries(argument)) {
    result[name] =
      name === '$each' ? writable(value, now) : isDoc(value) && name.startsWith('$') ? value : withDates(value, now)
  }
  return result
}

/** Two operators on one place, or on a place and what is inside it, have no order. */
const refuseConflicts = (steps: readonly Step[]): void => {
  const paths = steps.flatMap(({ operator, path, argument }) =>
    operator === '$rename' && typeof argument === 'string' ? [path, writablePath(argument)] : [path],
  )
  const sorted = paths.map((path) => path.join('.')).sort()
  const seen = new Set<string>()
  for (const path of sorted) {
    if (seen.has(path)) throw bad(`Updating the path '${path}' would create a conflict at '${path}'`)
    seen.add(path)
  }
  for (const path of paths) {
    for (let length = 1; length < path.length; length += 1) {
      const prefix = path.slice(0, length).join('.')
      if (seen.has(prefix)) throw bad(`Updating the path '${path.join('.')}' would create a conflict at '${prefix}'`)
    }
  }
}

/** The document after the update. Throws `failed_operation` when an operator cannot work on what is there. */
export const applyUpdate = (
  update: Update,
  doc: Doc,
  options: { readonly inserting: boolean; readonly now: number },
): Doc => {
  const changed =
    update.replacement === null
      ? update.steps.reduce((current, step) => applyStep(current, step, options), doc)
      : replaced(doc, update.replacement)
  if (!options.inserting && !equalValues(fieldOf(changed, '_id'), fieldOf(doc, '_id')))
    throw failed("Performing an update on the path '_id' would modify the immutable field '_id'")
  return changed
}

/** The key stays, and so does the owner unless another one is named. */
const replaced = (doc: Doc, replacement: Doc): Doc => {
  const kept = newDoc()
  for (const name of ['_id', '_openid']) {
    const value = fieldOf(doc, name)
    if (value !== undefined) kept[name] = value
  }
  return Object.assign(kept, replacement)
}

const applyStep = (doc: Doc, step: Step, options: { readonly inserting: boolean; readonly now: number }): Doc => {
  const { operator, path, argument } = step
  switch (operator) {
    case '$set':
      return writeAt(doc, path, argument)
    case '$setOnInsert':
      return options.inserting ? writeAt(doc, path, argument) : doc
    case '$unset':
      return removeAt(doc, path)
    case '$rename':
      return rename(doc, step)
    case '$currentDate':
      return writeAt(doc, path, new DateTime(options.now))
    default: {
      const current = readAt(doc, path)
      const next = changedValue(operator, current, step)
      return next === undefined ? doc : writeAt(doc, path, next)
    }
  }
}

type Changing = Exclude<Operator, '$set' | '$setOnInsert' | '$unset' | '$rename' | '$currentDate'>

const changedValue = (operator: Changing, current: Value | undefined, { argument, field }: Step): Value | undefined => {
  switch (operator) {
    case '$inc':
    case '$mul':
      return calculate(operator, current, argument, field)
    case '$min':
      return current === undefined || compareValues(argument, current) < 0 ? argument : current
    case '$max':
      return current === undefined || compareValues(argument, current) > 0 ? argument : current
    case '$bit':
      return bit(current, argument, field)
    case '$push':
      return push(current, argument, field)
    case '$pop':
      return pop(current, argument, field)
    case '$addToSet':
      return addToSet(current, argument, field)
    case '$pull':
      return pull(current, argument, field)
    case '$pullAll':
      return pullAll(current, argument, field)
  }
}

const calculate = (operator: '$inc' | '$mul', current: Value | undefined, argument: Value, field: string): Value => {
  const verb = operator === '$inc' ? 'increment' : 'multiply'
  if (!isNumber(argument)) throw bad(`Cannot ${verb} with non-numeric argument: {${field}: ${typeName(argument)}}`)
  if (current === undefined) return operator === '$inc' ? argument : compute(argument, 0, TIMES)
  if (!isNumber(current))
    throw failed(
      `Cannot apply ${operator} to a value of non-numeric type. The field '${field}' has type ${typeName(current)}`,
    )
  return compute(current, argument, operator === '$inc' ? PLUS : TIMES)
}

const BITS: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
}

const bit = (current: Value | undefined, argument: Value, field: string): Value => {
  const parts = isDoc(argument) ? Object.entries(argument) : []
  if (parts.length === 0)
    throw bad('The $bit modifier is not compatible with this argument: {and|or|xor: integer} is wanted')
  const start = current === undefined ? 0 : current
  return parts.reduce<Value>((value, [name, operand]) => {
    const [change, a, b] = [Object.hasOwn(BITS, name) ? BITS[name] : undefined, wholeOf(value), wholeOf(operand)]
    if (change === undefined) throw bad(`The $bit modifier only supports 'and', 'or', and 'xor', not '${name}'`)
    if (b === null) throw bad(`The $bit modifier field must be an Integer(32/64 bit)`)
    if (a === null)
      throw failed(
        `Cannot apply $bit to a value of non-integral type. The field '${field}' has type ${typeName(value)}`,
      )
    const wide = numberKind(value) === 'long' || numberKind(operand) === 'long'
    return wide ? long(change(a, b)) : integer(change(a, b))
  }, start)
}

const rename = (doc: Doc, { field, path, argument }: Step): Doc => {
  if (typeof argument !== 'string') throw bad(`The 'to' field for $rename must be a string: ${field}`)
  const target = writablePath(argument)
  if (argument === field) throw bad(`The source and target field for $rename must differ: ${field}`)
  for (const each of [path, target]) refuseArrays(doc, each, field)
  const value = readAt(doc, path)
  return value === undefined ? doc : writeAt(removeAt(doc, path), target, value)
}

const refuseArrays = (doc: Doc, path: readonly string[], field: string): void => {
  for (let length = 1; length < path.length; length += 1) {
    if (Array.isArray(readAt(doc, path.slice(0, length))))
      throw failed(`The source and target field for $rename must not be in an array: ${field}`)
  }
}

/** The document that an upsert begins with: what the query says must be equal. */
export const seedOf = (query: DocExpr): Doc => {
  let seed: Doc = newDoc()
  for (const fact of factsOf(query)) {
    if (fact.kind !== 'leaf' || fact.path.length === 0) continue
    const only =
      fact.test.op === 'in' && fact.test.patterns.length === 0 && fact.test.values.length === 1
        ? fact.test.values[0]
        : undefined
    const value = fact.test.op === 'eq' ? fact.test.value : only
    if (value !== undefined) seed = writeAt(seed, fact.path, value)
  }
  return seed
}
