/** The projection of a find: which fields are shown, and parts of arrays. */
import { matches } from '../../expr/bson/match.ts'
import type { Test } from '../../expr/bson/query.ts'
import {
  type Doc,
  fieldOf,
  isArray,
  isDoc,
  isNumber,
  type MutableDoc,
  newDoc,
  toNumber,
  type Value,
} from '../../expr/bson/value.ts'
import { DocumentError } from './errors.ts'
import { parseElementQuery } from './parse-query.ts'
import { pathOf } from './paths.ts'

/** A projection that was read: a document to a document. */
export type Projection = (doc: Doc) => Doc

type Rule =
  | { readonly kind: 'show' | 'hide' }
  | { readonly kind: 'slice'; readonly skip: number; readonly limit: number | null }
  | { readonly kind: 'first'; readonly test: Extract<Test, { op: 'elements' }> }
  | { readonly kind: 'inside'; readonly fields: Map<string, Rule> }

const bad = (message: string): DocumentError => new DocumentError('invalid_param', message)

/** Reads a projection; the empty one shows everything. Throws `invalid_param`. */
export const parseProjection = (projection: Doc): Projection => {
  const root = new Map<string, Rule>()
  addRules(root, projection, [])
  const kinds = new Set([...root].flatMap(([name, rule]) => (name === '_id' ? [] : kindsOf(rule))))
  if (kinds.has('show') && kinds.has('hide')) throw bad('Cannot do exclusion and inclusion in one projection')
  const id = root.get('_id')
  const onlyId = root.size === 1 && id?.kind === 'show'
  const including = kinds.has('show') || onlyId || (kinds.has('first') && !kinds.has('hide') && !kinds.has('slice'))
  if (including && id === undefined) root.set('_id', { kind: 'show' })
  return (doc) => projectDoc(doc, root, including)
}

const kindsOf = (rule: Rule): readonly string[] =>
  rule.kind === 'inside' ? [...rule.fields.values()].flatMap(kindsOf) : [rule.kind]

const addRules = (fields: Map<string, Rule>, projection: Doc, above: readonly string[]): void => {
  for (const [name, value] of Object.entries(projection)) {
    const path = pathOf(name)
    if (path.some((step) => step.startsWith('$'))) throw bad(`'${[...above, name].join('.')}' is not a field to show`)
    addRule(fields, path, value)
  }
}

const addRule = (fields: Map<string, Rule>, path: readonly string[], value: Value): void => {
  const [step = '', ...rest] = path
  const known = fields.get(step)
  if (rest.length === 0 && !isNested(value)) {
    if (known !== undefined) throw bad(`Path collision at ${step}`)
    fields.set(step, ruleOf(value))
    return
  }
  if (known !== undefined && known.kind !== 'inside') throw bad(`Path collision at ${step}`)
  const inside = known ?? { kind: 'inside', fields: new Map<string, Rule>() }
  fields.set(step, inside)
  if (rest.length > 0) addRule(inside.fields, rest, value)
  else if (isDoc(value)) addRules(inside.fields, value, path)
}

const isNested = (value: Value): boolean => isDoc(value) && !Object.keys(value).some((name) => name.startsWith('$'))

const ruleOf = (value: Value): Rule => {
  if (typeof value === 'boolean') return { kind: value ? 'show' : 'hide' }
  if (isNumber(value)) return { kind: toNumber(value) === 0 ? 'hide' : 'show' }
  if (!isDoc(value)) throw bad('a projection shows (1), hides (0), or takes $slice or $elemMatch')
  const slice = fieldOf(value, '$slice')
  if (slice !== undefined) return sliceRule(slice)
  const first = fieldOf(value, '$elemMatch')
  const test = first === undefined ? null : parseElementQuery(first)
  if (test === null) throw bad('a projection shows (1), hides (0), or takes $slice or $elemMatch')
  return { kind: 'first', test }
}

const whole = (value: Value | undefined): number => {
  if (!isNumber(value) || !Number.isInteger(toNumber(value))) throw bad('$slice takes whole numbers')
  return toNumber(value)
}

const sliceRule = (value: Value): Rule => {
  if (isArray(value)) {
    const [skip, limit] = value
    if (value.length !== 2 || whole(limit) <= 0)
      throw bad('$slice takes a number, or a pair of where to begin and how many')
    return { kind: 'slice', skip: whole(skip), limit: whole(limit) }
  }
  const count = whole(value)
  return count < 0 ? { kind: 'slice', skip: count, limit: null } : { kind: 'slice', skip: 0, limit: count }
}

const projectDoc = (doc: Doc, fields: ReadonlyMap<string, Rule>, including: boolean): MutableDoc => {
  const shown = newDoc()
  for (const [name, value] of Object.entries(doc)) {
    const rule = fields.get(name)
    const result = rule === undefined ? (including ? undefined : value) : applyRule(value, rule, including)
    if (result !== undefined) shown[name] = result
  }
  return shown
}

const applyRule = (value: Value, rule: Rule, including: boolean): Value | undefined => {
  switch (rule.kind) {
    case 'show':
      return value
    case 'hide':
      return undefined
    case 'slice':
      return isArray(value) ? sliceOf(value, rule.skip, rule.limit) : value
    case 'first': {
      if (!isArray(value)) return undefined
      const found = value.find((each) => matches({ kind: 'leaf', path: [], test: rule.test }, [each]))
      return found === undefined ? undefined : [found]
    }
    case 'inside':
      return applyInside(value, rule.fields, including)
  }
}

const applyInside = (value: Value, fields: ReadonlyMap<string, Rule>, including: boolean): Value | undefined => {
  if (isDoc(value)) return projectDoc(value, fields, including)
  if (!isArray(value)) return including ? undefined : value
  return value.flatMap((each) => {
    const shown = applyInside(each, fields, including)
    return shown === undefined ? [] : [shown]
  })
}

const sliceOf = (array: readonly Value[], skip: number, limit: number | null): readonly Value[] => {
  const from = skip < 0 ? Math.max(0, array.length + skip) : skip
  return limit === null ? array.slice(from) : array.slice(from, from + limit)
}
