/** `db.command`: conditions and changes, and how they are written in the server's words. */
import { encode, isPlain, type Plain } from './values.ts'

/** A condition on one field, or on all of them. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: comparisons can be said one after the other.
export class QueryCommand {
  readonly parts: readonly Part[]
  /** How the parts belong together. */
  readonly join: '$and' | '$or' | '$nor' | '$not'
  constructor(parts: readonly Part[], join: QueryCommand['join'] = '$and') {
    this.parts = parts
    this.join = join
  }

  and(...others: readonly unknown[]): QueryCommand {
    return new QueryCommand(joinedTo(this, others))
  }

  or(...others: readonly unknown[]): QueryCommand {
    return new QueryCommand(joinedTo(this, others), '$or')
  }
}

type Chained = 'eq' | 'neq' | 'gt' | 'gte' | 'lt' | 'lte' | 'in' | 'nin' | 'exists' | 'mod' | 'size'

// Defined below, by name.
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: each of them is defined right after this.
export interface QueryCommand extends Readonly<Record<Chained, (...values: readonly unknown[]) => QueryCommand>> {}

/** An operator with its value, another command, or (without a field) an object of conditions. */
type Part = { readonly op: string; readonly value: unknown } | QueryCommand | Plain

const flat = (items: readonly unknown[]): Part[] => {
  const [first] = items
  return (items.length === 1 && Array.isArray(first) ? first : items) as Part[]
}

const joinedTo = (first: QueryCommand, others: readonly unknown[]): Part[] => ([first] as Part[]).concat(flat(others))

const isOperator = (part: Part): part is { readonly op: string; readonly value: unknown } =>
  isPlain(part) && typeof part.op === 'string' && part.op.charAt(0) === '$'

const compare =
  (op: string) =>
  (value: unknown): QueryCommand =>
    new QueryCommand([{ op, value }])

const COMPARISONS = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in', 'nin', 'exists', 'mod', 'size'] as const

/** Every comparison can also be said after another: `_.gt(1).lt(5)`. */
const chained = (op: string) =>
  function (this: QueryCommand, ...values: readonly unknown[]): QueryCommand {
    return new QueryCommand([this, make(op, values)])
  }

const make = (name: string, values: readonly unknown[]): QueryCommand => {
  if (name === 'mod') return new QueryCommand([{ op: '$mod', value: values.length > 1 ? values : values[0] }])
  return compare(name === 'neq' ? '$ne' : `$${name}`)(values[0])
}

COMPARISONS.forEach((name) => {
  Object.defineProperty(QueryCommand.prototype, name, { value: chained(name), configurable: true, writable: true })
})

const geometry = (value: unknown): unknown => encode(value)

/** Distances in metres. */
const near = (value: Plain): Plain => {
  const { geometry: shape, maxDistance, minDistance } = value
  const out: Record<string, unknown> = { $geometry: geometry(shape) }
  if (maxDistance !== undefined) out.$maxDistance = maxDistance
  if (minDistance !== undefined) out.$minDistance = minDistance
  return out
}

const within = (value: Plain): Plain => {
  if (value.centerSphere === undefined) return { $geometry: geometry(value.geometry) }
  const [center, radius] = value.centerSphere as readonly [unknown, number]
  const place =
    isPlain(center) || !Array.isArray(center) ? (encode(center) as { coordinates: unknown }).coordinates : center
  return { $centerSphere: [place, radius] }
}

/** A change of one field. */
export class UpdateCommand {
  readonly op: string
  readonly value: unknown
  constructor(op: string, value: unknown) {
    this.op = op
    this.value = value
  }
}

const update =
  (op: string) =>
  (value?: unknown): UpdateCommand =>
    new UpdateCommand(op, value)

const listOf = (values: readonly unknown[]): readonly unknown[] =>
  values.length === 1 && Array.isArray(values[0]) ? (values[0] as readonly unknown[]) : values

const push = (...values: readonly unknown[]): UpdateCommand => {
  const [only] = values
  if (values.length === 1 && isPlain(only) && Array.isArray(only.each)) {
    const { each, position, slice, sort } = only
    const out: Record<string, unknown> = { $each: encode(each) }
    if (position !== undefined) out.$position = position
    if (slice !== undefined) out.$slice = slice
    if (sort !== undefined) out.$sort = sort
    return new UpdateCommand('$push', out)
  }
  return new UpdateCommand('$push', { $each: encode(listOf(values)) })
}

const addToSet = (value: unknown): UpdateCommand =>
  new UpdateCommand('$addToSet', isPlain(value) && '$each' in value ? { $each: encode(value.$each) } : value)

export const commands = {
  eq: compare('$eq'),
  neq: compare('$ne'),
  gt: compare('$gt'),
  gte: compare('$gte'),
  lt: compare('$lt'),
  lte: compare('$lte'),
  in: compare('$in'),
  nin: compare('$nin'),
  exists: compare('$exists'),
  mod: (...values: readonly unknown[]) => make('mod', values),
  size: compare('$size'),
  all: (list: readonly unknown[]) => new QueryCommand([{ op: '$all', value: list }]),
  elemMatch: (value: unknown) => new QueryCommand([{ op: '$elemMatch', value }]),
  geoNear: (value: Plain) => new QueryCommand([{ op: '$nearSphere', value: near(value) }]),
  geoWithin: (value: Plain) => new QueryCommand([{ op: '$geoWithin', value: within(value) }]),
  geoIntersects: (value: Plain) =>
    new QueryCommand([{ op: '$geoIntersects', value: { $geometry: geometry(value.geometry) } }]),
  and: (...parts: readonly unknown[]) => new QueryCommand(flat(parts)),
  or: (...parts: readonly unknown[]) => new QueryCommand(flat(parts), '$or'),
  nor: (...parts: readonly unknown[]) => new QueryCommand(flat(parts), '$nor'),
  not: (part: unknown) => new QueryCommand([part as Part], '$not'),
  expr: (value: unknown) => ({ $expr: value }),

  set: update('$set'),
  remove: () => new UpdateCommand('$unset', ''),
  inc: update('$inc'),
  mul: update('$mul'),
  min: update('$min'),
  max: update('$max'),
  rename: update('$rename'),
  bit: update('$bit'),
  push,
  pop: () => new UpdateCommand('$pop', 1),
  shift: () => new UpdateCommand('$pop', -1),
  unshift: (...values: readonly unknown[]) =>
    new UpdateCommand('$push', { $each: encode(listOf(values)), $position: 0 }),
  addToSet,
  pull: update('$pull'),
  pullAll: update('$pullAll'),

  project: {
    slice: (...values: readonly unknown[]) => ({ $slice: values.length > 1 ? values : values[0] }),
    elemMatch: (value: unknown) => ({ $elemMatch: conditions(value) }),
  },
}

// --- conditions in the server's words

/** What `where` was given. */
export function conditions(query: unknown): Plain {
  if (query instanceof QueryCommand) return whole(query)
  if (!isPlain(query)) throw new TypeError('a query must be an object')
  const facts: Plain[] = []
  collect(query, '', facts)
  return joined(facts, '$and')
}

const joined = (facts: readonly Plain[], by: string): Plain => {
  const [only] = facts
  if (by === '$and' && facts.length <= 1) return only ?? {}
  if (by === '$and') {
    const merged: Record<string, unknown> = {}
    const unique = facts.every((fact) =>
      Object.keys(fact).every((name) => {
        if (name in merged) return false
        merged[name] = fact[name]
        return true
      }),
    )
    if (unique) return merged
  }
  return { [by]: facts }
}

/** A plain object means its members: `{a: {b: 1}}` is `a.b` equals 1. */
function collect(query: Plain, prefix: string, facts: Plain[]): void {
  Object.keys(query).forEach((name) => {
    const value = query[name]
    const field = prefix === '' ? name : `${prefix}.${name}`
    if (value === undefined) return
    if (name.charAt(0) === '$' && prefix === '') facts.push({ [name]: encodeExpression(value) })
    else if (value instanceof QueryCommand) facts.push(onField(field, value))
    else if (
      isPlain(value) &&
      Object.keys(value).length > 0 &&
      Object.keys(value).every((each) => each.charAt(0) !== '$')
    )
      collect(value, field, facts)
    else facts.push({ [field]: encode(value) })
  })
}

/** Conditions that name their fields themselves. */
const whole = (command: QueryCommand): Plain => {
  const facts = command.parts.map((part) => {
    if (isOperator(part)) throw new TypeError(`${part.op} needs a field`)
    return conditions(part)
  })
  return command.join === '$not' ? { $nor: facts } : joined(facts, command.join)
}

const onField = (field: string, command: QueryCommand): Plain => {
  const facts = command.parts.map((part): Plain => {
    if (part instanceof QueryCommand) return onField(field, part)
    if (isOperator(part)) return { [field]: operator(part.op, part.value) }
    // A value where a condition could stand: equality.
    return { [field]: encode(part) }
  })
  if (command.join === '$not') return negated(field, command)
  return joined(facts, command.join)
}

const negated = (field: string, { parts }: QueryCommand): Plain => {
  const [part] = parts
  if (part instanceof QueryCommand && part.parts.length === 1) {
    const [only] = part.parts
    if (only !== undefined && isOperator(only)) return { [field]: { $not: operator(only.op, only.value) } }
  }
  return { $nor: [part instanceof QueryCommand ? onField(field, part) : { [field]: encode(part) }] }
}

const operator = (op: string, value: unknown): Plain => {
  if (op === '$elemMatch') return { $elemMatch: elementOf(value) }
  if (op === '$all' && Array.isArray(value)) return { $all: value.map(eachOfAll) }
  return { [op]: encode(value) }
}

const eachOfAll = (each: unknown): unknown => {
  const [only] = each instanceof QueryCommand ? each.parts : []
  return only !== undefined && isOperator(only) ? operator(only.op, only.value) : encode(each)
}

/** Conditions on the element itself, or on its members. */
const elementOf = (value: unknown): Plain => {
  if (!(value instanceof QueryCommand)) return conditions(value)
  const out: Record<string, unknown> = {}
  const gather = (command: QueryCommand): void => {
    for (const part of command.parts) {
      if (part instanceof QueryCommand) gather(part)
      else if (isOperator(part)) Object.assign(out, operator(part.op, part.value))
    }
  }
  gather(value)
  return out
}

// --- changes in the server's words

/** What `update` was given: `{a: {b: 1}}` changes `a.b` alone. */
export function changes(data: Plain): Plain {
  const out: Record<string, Record<string, unknown>> = {}
  const put = (op: string, field: string, value: unknown): void => {
    const fields = out[op] ?? {}
    out[op] = fields
    fields[field] = value
  }
  const walk = (values: Plain, prefix: string): void =>
    Object.keys(values).forEach((name) => {
      const value = values[name]
      const field = prefix === '' ? name : `${prefix}.${name}`
      if (value === undefined) return
      if (value instanceof UpdateCommand) put(value.op, field, changeOf(value))
      else if (isPlain(value) && Object.keys(value).length > 0) walk(value, field)
      else put('$set', field, encode(value))
    })
  walk(data, '')
  return out
}

const changeOf = ({ op, value }: UpdateCommand): unknown => {
  if (op === '$pull') {
    if (value instanceof QueryCommand) return elementOf(value)
    return isPlain(value) ? conditions(value) : encode(value)
  }
  return encode(value)
}

/** Expressions of pipelines: plain values, with commands inside written out. */
export function encodeExpression(value: unknown): unknown {
  if (value instanceof QueryCommand) return elementOf(value)
  if (Array.isArray(value)) return value.map(encodeExpression)
  if (!isPlain(value)) return encode(value)
  const out: Record<string, unknown> = {}
  Object.keys(value).forEach((name) => {
    if (value[name] !== undefined) out[name] = encodeExpression(value[name])
  })
  return out
}
