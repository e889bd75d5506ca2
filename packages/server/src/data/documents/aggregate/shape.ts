/** The stages that give documents another shape: project, addFields, unset and replaceRoot. */
import {
  type Doc,
  fieldOf,
  isArray,
  isDoc,
  isNumber,
  newDoc,
  toNumber,
  typeName,
  type Value,
} from '../../../expr/bson/value.ts'
import { pathOf } from '../paths.ts'
import { bad, type Evaluate, failed, isNull, type Maybe, type Scope } from './expression.ts'
import { compileExpression } from './operators.ts'

/** One document to another. */
export type Shape = (doc: Doc, scope: Scope) => Doc

type Rule =
  | { readonly kind: 'show' | 'hide' }
  | { readonly kind: 'compute'; readonly evaluate: Evaluate }
  | { readonly kind: 'inside'; readonly fields: Map<string, Rule> }

/** `$project`. */
export const projectShape = (value: Value): Shape => {
  if (!isDoc(value) || Object.keys(value).length === 0)
    throw bad('$project specification must be an object with at least one field')
  const fields = rulesOf(value, false)
  const kinds = new Set(
    [...fields].flatMap(([name, rule]) => (name === '_id' && rule.kind === 'hide' ? [] : kindsOf(rule))),
  )
  const including = kinds.has('show') || kinds.has('compute')
  if (including && kinds.has('hide')) throw bad('Invalid $project: cannot do exclusion in an inclusion projection')
  if (!including) return (doc) => without(doc, fields)
  if (!fields.has('_id')) fields.set('_id', { kind: 'show' })
  return (doc, scope) => only(doc, fields, scope)
}

/** `$addFields`. */
export const addShape = (value: Value): Shape => {
  if (!isDoc(value) || Object.keys(value).length === 0)
    throw bad('$addFields specification must be an object with at least one field')
  const fields = rulesOf(value, true)
  return (doc, scope) => added(doc, fields, scope)
}

/** `$unset`. */
export const unsetShape = (value: Value): Shape => {
  const names = isArray(value) ? value : [value]
  const fields = new Map<string, Rule>()
  for (const name of names) {
    if (typeof name !== 'string') throw bad('$unset takes the names of fields')
    put(fields, pathOf(name), { kind: 'hide' })
  }
  return (doc) => without(doc, fields)
}

/** `$replaceRoot`. */
export const replaceShape = (value: Value): Shape => {
  const root = isDoc(value) ? fieldOf(value, 'newRoot') : undefined
  if (root === undefined) throw bad("$replaceRoot needs 'newRoot'")
  const evaluate = compileExpression(root)
  return (_doc, scope) => {
    const made = evaluate(scope)
    if (isDoc(made)) return made
    throw failed(`'newRoot' expression must evaluate to an object, but resulting value was of type ${typeName(made)}`)
  }
}

const kindsOf = (rule: Rule): readonly string[] =>
  rule.kind === 'inside' ? [...rule.fields.values()].flatMap(kindsOf) : [rule.kind]

/** `computing`: every value is an expression, numbers and booleans too. */
const rulesOf = (spec: Doc, computing: boolean): Map<string, Rule> => {
  const fields = new Map<string, Rule>()
  for (const [name, value] of Object.entries(spec)) {
    const path = pathOf(name)
    if (path.some((step) => step.startsWith('$'))) throw bad(`'${name}' is not a field path`)
    put(fields, path, ruleOf(value, computing))
  }
  return fields
}

const ruleOf = (value: Value, computing: boolean): Rule => {
  if (!computing && typeof value === 'boolean') return { kind: value ? 'show' : 'hide' }
  if (!computing && isNumber(value)) return { kind: toNumber(value) === 0 ? 'hide' : 'show' }
  const nested =
    isDoc(value) && Object.keys(value).length > 0 && !Object.keys(value).some((name) => name.startsWith('$'))
  if (nested && isDoc(value)) return { kind: 'inside', fields: rulesOf(value, computing) }
  return { kind: 'compute', evaluate: compileExpression(value) }
}

const put = (fields: Map<string, Rule>, path: readonly string[], rule: Rule): void => {
  const [step = '', ...rest] = path
  const known = fields.get(step)
  if (rest.length === 0 && rule.kind !== 'inside') {
    if (known !== undefined) throw bad(`Invalid specification: path collision at ${step}`)
    fields.set(step, rule)
    return
  }
  if (known !== undefined && known.kind !== 'inside') throw bad(`Invalid specification: path collision at ${step}`)
  const inside = known ?? { kind: 'inside', fields: new Map<string, Rule>() }
  fields.set(step, inside)
  if (rest.length > 0) put(inside.fields, rest, rule)
  else if (rule.kind === 'inside') for (const [name, inner] of rule.fields) put(inside.fields, [name], inner)
}

const without = (value: Doc, fields: ReadonlyMap<string, Rule>): Doc => {
  const kept = newDoc()
  for (const [name, inner] of Object.entries(value)) {
    const rule = fields.get(name)
    if (rule?.kind === 'hide') continue
    kept[name] = rule?.kind === 'inside' ? withoutInside(inner, rule.fields) : inner
  }
  return kept
}

const withoutInside = (value: Value, fields: ReadonlyMap<string, Rule>): Value => {
  if (isArray(value)) return value.map((each) => withoutInside(each, fields))
  return isDoc(value) ? without(value, fields) : value
}

const only = (doc: Doc, fields: ReadonlyMap<string, Rule>, scope: Scope): Doc => {
  const shown = newDoc()
  for (const [name, value] of Object.entries(doc)) {
    const rule = fields.get(name)
    if (rule?.kind === 'show') shown[name] = value
    if (rule?.kind !== 'inside') continue
    const inner = onlyInside(value, rule.fields, scope)
    if (inner !== undefined) shown[name] = inner
  }
  for (const [name, rule] of fields) compute(shown, name, rule, scope, !Object.hasOwn(doc, name))
  return shown
}

const onlyInside = (value: Value, fields: ReadonlyMap<string, Rule>, scope: Scope): Maybe => {
  if (isDoc(value)) return only(value, fields, scope)
  if (!isArray(value)) return hasComputed(fields) ? only(newDoc(), fields, scope) : undefined
  return value.flatMap((each) => {
    const shown = onlyInside(each, fields, scope)
    return shown === undefined ? [] : [shown]
  })
}

const hasComputed = (fields: ReadonlyMap<string, Rule>): boolean =>
  [...fields.values()].some((rule) => rule.kind === 'compute' || (rule.kind === 'inside' && hasComputed(rule.fields)))

/** Puts what a rule computes into a document; `missing` when there was nothing to go into. */
const compute = (target: Record<string, Value>, name: string, rule: Rule, scope: Scope, missing: boolean): void => {
  if (rule.kind === 'compute') {
    const value = rule.evaluate(scope)
    if (value === undefined) delete target[name]
    else target[name] = value
  } else if (rule.kind === 'inside' && missing && hasComputed(rule.fields)) {
    target[name] = only(newDoc(), rule.fields, scope)
  }
}

const added = (doc: Doc, fields: ReadonlyMap<string, Rule>, scope: Scope): Doc => {
  const result = Object.assign(newDoc(), doc)
  for (const [name, rule] of fields) {
    if (rule.kind === 'inside') result[name] = addedInside(fieldOf(doc, name), rule.fields, scope)
    else compute(result, name, rule, scope, false)
  }
  return result
}

/** Every element of an array is entered; anything but a document becomes one. */
const addedInside = (value: Maybe, fields: ReadonlyMap<string, Rule>, scope: Scope): Value => {
  if (isArray(value)) return value.map((each) => addedInside(each, fields, scope))
  return added(isNull(value) || !isDoc(value) ? newDoc() : value, fields, scope)
}
