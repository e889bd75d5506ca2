/** What may be written into a document: field names, nesting, and the server's time put in where it was asked for. */
import { DateTime, type Doc, isArray, isDoc, newDoc, ServerDate, type Value } from '../../expr/bson/value.ts'
import { DocumentError } from './errors.ts'
import type { DocumentId } from './requests.ts'

const MAX_DEPTH = 100

/** Checks a value that will be stored, and gives every server date the time it stands for. Throws `invalid_param`. */
export const writable = (value: Value, now: number, depth = 0): Value => {
  if (depth > MAX_DEPTH) throw new DocumentError('invalid_param', `a document may be nested ${MAX_DEPTH} levels deep`)
  if (value instanceof ServerDate) return new DateTime(now + value.offset)
  if (isArray(value)) return value.map((each) => writable(each, now, depth + 1))
  if (!isDoc(value)) return value
  const checked = newDoc()
  for (const [name, inner] of Object.entries(value)) {
    checkName(name)
    checked[name] = writable(inner, now, depth + 1)
  }
  return checked
}

/** A document that will be stored. */
export const writableDoc = (doc: Doc, now: number): Doc => {
  const checked = writable(doc, now)
  return isDoc(checked) ? checked : newDoc()
}

const checkName = (name: string): void => {
  if (name.startsWith('$'))
    throw new DocumentError(
      'invalid_param',
      `The dollar ($) prefixed field '${name}' in '${name}' is not valid for storage.`,
    )
  if (name === '' || name.includes('.') || name === '__proto__')
    throw new DocumentError('invalid_param', `The field name '${name}' is not allowed`)
}

/** Longer keys than an index entry can take are refused. */
const MAX_ID_LENGTH = 2000

/** A document's own key; null when it has none. Throws `invalid_param` on one that cannot be a key. */
export const idOf = (doc: Doc): DocumentId | null => {
  const id = Object.hasOwn(doc, '_id') ? doc._id : undefined
  if (id === undefined || id === null) return null
  if (typeof id === 'string' && id !== '' && id.length <= MAX_ID_LENGTH) return id
  if (typeof id === 'number' && Number.isFinite(id)) return id
  throw new DocumentError('invalid_param', 'the _id of a document is a text or a number')
}
