/** Which function a call means, by name and by the names of its arguments. */
import type { FunctionInfo } from '../db/catalog/catalog.ts'
import { DataError } from './errors.ts'
import type { Call, CallArguments } from './query.ts'
import { mostSimilar } from './similar.ts'
import type { DataContext } from './source.ts'

/** The function, and whether the whole body is its one unnamed argument. */
export interface ChosenFunction {
  readonly function: FunctionInfo
  readonly unnamed: boolean
}

/** How Postgres spells the types that an unnamed argument may have, by what the body is. */
const JSON_TYPES = ['json', 'jsonb']

export const chooseFunction = (
  { target, arguments: given }: Pick<Call, 'target' | 'arguments'>,
  context: DataContext,
): ChosenFunction => {
  const named = context.catalog
    .functionsNamed(target.schema, target.name)
    .filter((each) => each.kind === 'function' && isCallable(each))
  const keys = keysOf(given)
  const exact = given.kind === 'body' ? [] : named.filter((each) => accepts(each, keys))
  const unnamed = named.filter((each) => takesBody(each, given))
  // A function with these very arguments goes before one that takes the body as a whole.
  const found = exact.length > 0 ? exact : unnamed
  const [only, ...others] = found
  if (only === undefined) throw unknownFunction(target.schema, target.name, given, context)
  if (others.length > 0) throw new DataError({ kind: 'function_ambiguous', candidates: found })
  return { function: only, unnamed: exact.length === 0 }
}

const keysOf = (given: CallArguments): readonly string[] => {
  if (given.kind === 'named') return [...new Set(given.values.map(([name]) => name))]
  return given.kind === 'json' ? given.keys : []
}

const UNNAMED_TYPES = new Set(['bytea', 'json', 'jsonb', 'text', 'xml'])

/** All arguments have names, or it has one unnamed argument that a body can be. */
const isCallable = (each: FunctionInfo): boolean => {
  const nameless = each.inputs.filter((input) => input.name === '')
  if (nameless.length === 0) return true
  return nameless.length === 1 && each.inputs.length === 1 && UNNAMED_TYPES.has(nameless[0]?.typeName ?? '')
}

const accepts = ({ inputs }: FunctionInfo, keys: readonly string[]): boolean => {
  if (inputs.some((input) => input.name === '')) return false
  const required = inputs.filter((input) => input.required && !input.variadic)
  return (
    required.every((input) => keys.includes(input.name)) &&
    keys.every((key) => inputs.some((input) => input.name === key)) &&
    inputs.every((input) => !(input.variadic && input.required) || keys.includes(input.name))
  )
}

const takesBody = ({ inputs }: FunctionInfo, given: CallArguments): boolean => {
  const [only, ...others] = inputs
  if (only === undefined || others.length > 0 || only.name !== '') return false
  if (given.kind === 'body') return given.types.includes(only.typeName)
  return given.kind === 'json' && given.allowUnnamed && JSON_TYPES.includes(only.typeName)
}

const unknownFunction = (schema: string, name: string, given: CallArguments, context: DataContext): DataError => {
  const keys = keysOf(given)
  const all = context.catalog.functions.filter((each) => each.schema === schema && each.kind === 'function')
  return new DataError({
    kind: 'function_unknown',
    schema,
    name,
    keys,
    body: bodyKind(given),
    similar: similarCall(name, keys, all),
  })
}

const bodyKind = (given: CallArguments): 'json' | 'text' | 'xml' | 'bytea' | null => {
  if (given.kind === 'json') return given.allowUnnamed ? 'json' : null
  if (given.kind === 'named') return null
  const [first] = given.types
  return first === 'bytea' || first === 'xml' || first === 'text' ? first : 'json'
}

/** A similar name, or the same name with similar arguments: `name(a, b)`. */
const similarCall = (name: string, keys: readonly string[], all: readonly FunctionInfo[]): string | null => {
  const overloads = all.filter((each) => each.name === name)
  if (overloads.length === 0)
    return mostSimilar(
      name,
      all.map((each) => each.name),
    )
  const best = mostSimilar(
    signature(keys),
    overloads.map((each) => signature(each.inputs.map((input) => input.name))),
  )
  return best === null ? null : `${name}${best}`
}

const signature = (names: readonly string[]): string => `(${[...names].sort().join(', ')})`
