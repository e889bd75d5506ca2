/** Documents as jsonb text, to and from the database. A number's scale is its type: `5` an int or long, `5.0` a double, `5.00` a declared long. */
import {
  Binary,
  DateTime,
  Decimal,
  type Doc,
  Double,
  double,
  isArray,
  isDoc,
  isNumber,
  Long,
  newDoc,
  type Tagged,
  toNumber,
  type Value,
} from '../../expr/bson/value.ts'
import type { Json } from '../../kernel/json.ts'
import { fromJson, toJson } from './ejson.ts'
import { DocumentError } from './errors.ts'
import type { DocumentId } from './requests.ts'

/** Bytes of a document's text: MongoDB's own limit. */
export const MAX_DOCUMENT_BYTES = 16 * 1024 * 1024

/** A value as the text of a jsonb. */
export const toStored = (value: Value): string => {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return JSON.stringify(value)
  if (isArray(value)) return `[${value.map(toStored).join(',')}]`
  if (isNumber(value)) return storedNumber(value)
  if (isDoc(value)) {
    const fields = Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}:${toStored(inner)}`)
    return `{${fields.join(',')}}`
  }
  return storedTag(value)
}

const storedNumber = (value: number | Long | Double | Decimal): string => {
  if (value instanceof Decimal) return JSON.stringify({ $numberDecimal: value.text })
  if (value instanceof Long) {
    const small = Number.isSafeInteger(Number(value.value))
    return small ? `${value.value}.00` : JSON.stringify({ $numberLong: String(value.value) })
  }
  const plain = toNumber(value)
  if (Object.is(plain, -0)) return '{"$numberDouble":"-0.0"}'
  if (!Number.isFinite(plain)) return JSON.stringify({ $numberDouble: String(plain) })
  return value instanceof Double ? `${plain}.0` : String(plain)
}

const storedTag = (value: Tagged): string => {
  if (value instanceof DateTime) return `{"$date":${value.millis}}`
  if (value instanceof Binary) return JSON.stringify(toJson(value, 'canonical'))
  return JSON.stringify(toJson(value, 'canonical'))
}

/** A whole number that was written with a scale. Also true for some texts, which then only take the slower way. */
const SCALED = /\d\.0+(?![\d.])/

/** The value of a jsonb's text. */
export const fromStored = (text: string): Value => {
  const json: unknown = SCALED.test(text) ? new ScaledParser(text).parse() : JSON.parse(text)
  return revive(json)
}

const revive = (json: unknown): Value => {
  if (typeof json !== 'object' || json === null) return json as Value // What JSON calls a scalar is a value as it is.
  if (json instanceof Double || json instanceof Long) return json
  if (Array.isArray(json)) return json.map(revive)
  const [first] = Object.keys(json)
  if (first?.startsWith('$')) return reviveTag(json as Json) // It came out of JSON.
  const doc = newDoc()
  for (const [name, value] of Object.entries(json)) doc[name] = revive(value)
  return doc
}

/** What nobody of ours wrote (a `$` name from another door) is shown as it is. */
const reviveTag = (json: Json): Value => {
  try {
    return fromJson(json)
  } catch {
    return fromJson(JSON.stringify(json))
  }
}

/** JSON.parse forgets how a number was written; this one keeps it. */
class ScaledParser {
  readonly #tokens: RegExpMatchArray[]
  #at = 0

  constructor(text: string) {
    this.#tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[[\]{}:,]|true|false|null/g)]
  }

  parse(): unknown {
    const token = this.#take()
    if (token === '[') return this.#array()
    if (token === '{') return this.#object()
    const scaled = /^(-?\d+)\.(0+)$/.exec(token)
    if (scaled === null) return JSON.parse(token)
    const [, whole = '0', zeros] = scaled
    return zeros === '00' ? new Long(BigInt(whole)) : double(Number(whole))
  }

  #take(): string {
    const token = this.#tokens[this.#at]?.[0] ?? ''
    this.#at += 1
    return token
  }

  #array(): unknown[] {
    const items: unknown[] = []
    if (this.#tokens[this.#at]?.[0] === ']') {
      this.#at += 1
      return items
    }
    do items.push(this.parse())
    while (this.#take() === ',')
    return items
  }

  #object(): Doc {
    const object = newDoc()
    if (this.#tokens[this.#at]?.[0] === '}') {
      this.#at += 1
      return object
    }
    do {
      const name = String(JSON.parse(this.#take()))
      this.#take()
      // Values are revived later; until then the object only carries them.
      object[name] = this.parse() as Value
    } while (this.#take() === ',')
    return object
  }
}

/** One row of a collection. */
export interface StoredRow {
  readonly _id: string
  readonly _openid: string | null
  /** The jsonb's text. */
  readonly doc: string
}

/** The document of a row: `_id` first, then the owner, then the rest. */
export const documentOf = ({ _id, _openid, doc }: StoredRow): Doc => {
  const content = fromStored(doc)
  const whole = newDoc()
  whole._id = _id
  if (_openid !== null) whole._openid = _openid
  // A numeric key is kept inside, and wins over its text.
  return isDoc(content) ? Object.assign(whole, content) : whole
}

/** What goes into the columns of a row. Throws `document_too_large`. */
export const rowOf = (document: Doc, id: DocumentId): { readonly id: string; readonly doc: string } => {
  const content = newDoc()
  for (const [name, value] of Object.entries(document)) {
    if (name !== '_id' && name !== '_openid') content[name] = value
  }
  if (typeof id === 'number') content._id = id
  const doc = toStored(content)
  if (doc.length > MAX_DOCUMENT_BYTES || Buffer.byteLength(doc) > MAX_DOCUMENT_BYTES)
    throw new DocumentError('document_too_large', 'a document may have 16 MB')
  return { id: String(id), doc }
}
