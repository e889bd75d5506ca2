/** Reading, writing and removing what lies at a path of a document, copying only what changes. Writing does not look through arrays: a numeric step names an element. */
import { isIndex } from '../../../expr/bson/path.ts'
import { type Doc, fieldOf, isArray, isDoc, newDoc, typeName, type Value } from '../../../expr/bson/value.ts'
import { DocumentError } from '../errors.ts'

/** How far past its end an array may be written. */
const MAX_PADDING = 1_500_000

/** What lies at a path; undefined when there is nothing. */
export const readAt = (value: Value | undefined, path: readonly string[]): Value | undefined => {
  const [step, ...rest] = path
  if (step === undefined) return value
  if (isDoc(value)) return readAt(fieldOf(value, step), rest)
  return isArray(value) && isIndex(step) ? readAt(value[Number(step)], rest) : undefined
}

/** The document with `content` at the path; documents on the way are made. Throws `failed_operation` where something else is in the way. */
export const writeAt = (doc: Doc, path: readonly string[], content: Value): Doc => {
  const written = write(doc, path, content, [])
  return isDoc(written) ? written : doc
}

const write = (value: Value | undefined, path: readonly string[], content: Value, passed: readonly string[]): Value => {
  const [step, ...rest] = path
  if (step === undefined) return content
  const deeper = [...passed, step]
  if (value === undefined) return withField(newDoc(), step, write(undefined, rest, content, deeper))
  if (isDoc(value)) return withField(value, step, write(fieldOf(value, step), rest, content, deeper))
  if (isArray(value) && isIndex(step)) {
    const index = Number(step)
    if (index > value.length + MAX_PADDING) throw cannotCreate(step, passed, value)
    const padding = Array.from({ length: Math.max(0, index - value.length) }, () => null)
    const longer: Value[] = [...value, ...padding]
    longer[index] = write(value[index], rest, content, deeper)
    return longer
  }
  throw cannotCreate(step, passed, value)
}

const cannotCreate = (step: string, passed: readonly string[], value: Value): DocumentError =>
  new DocumentError(
    'failed_operation',
    `Cannot create field '${step}' in element {${passed.at(-1) ?? ''}: ${typeName(value)}}`,
  )

const withField = (doc: Doc, name: string, content: Value): Doc => {
  const copy = Object.assign(newDoc(), doc)
  copy[name] = content
  return copy
}

/** The document without what lies at the path; an element of an array becomes null. */
export const removeAt = (doc: Doc, path: readonly string[]): Doc => {
  const removed = remove(doc, path)
  return isDoc(removed) ? removed : doc
}

const remove = (value: Value, path: readonly string[]): Value => {
  const [step = '', ...rest] = path
  if (isDoc(value)) {
    const inner = fieldOf(value, step)
    if (inner === undefined) return value
    if (rest.length > 0) return withField(value, step, remove(inner, rest))
    const copy = Object.assign(newDoc(), value)
    delete copy[step]
    return copy
  }
  if (!isArray(value) || !isIndex(step)) return value
  const element = value[Number(step)]
  if (element === undefined) return value
  const copy = [...value]
  copy[Number(step)] = rest.length === 0 ? null : remove(element, rest)
  return copy
}
