/**
 * The `sql` tag: every value becomes a parameter, every name goes through `ident`, and fragments compose.
 * Nothing else in the product turns text into SQL.
 */
import { quoteIdent, quoteLiteral } from './quote.ts'

/** What may be bound to a parameter. Arrays become Postgres arrays, objects become JSON text. */
export type SqlValue = string | number | bigint | boolean | null | Uint8Array | Date | readonly SqlValue[] | object

type Chunk = { readonly text: string } | { readonly value: SqlValue } | Fragment

/** A piece of SQL with its values. Only this module makes one. */
export class Fragment {
  readonly chunks: readonly Chunk[]
  constructor(chunks: readonly Chunk[]) {
    this.chunks = chunks
  }
}

/** A complete statement: `name` labels it in metrics and errors, `values[i]` is `$i+1` in `text`. */
export interface Statement {
  readonly name: string
  readonly text: string
  readonly values: readonly SqlValue[]
}

/** A fragment from a template: `frag\`a = ${value}\``. Interpolated fragments are spliced in, anything else is a parameter. */
export const frag = (strings: TemplateStringsArray, ...parts: readonly (SqlValue | Fragment)[]): Fragment => {
  const chunks: Chunk[] = []
  strings.forEach((text, index) => {
    if (text !== '') chunks.push({ text })
    const part = parts[index]
    if (index < parts.length) chunks.push(part instanceof Fragment ? part : { value: part ?? null })
  })
  return new Fragment(chunks)
}

/** The tag for a whole statement: `sql('files.find')\`select …\``. */
export const sql =
  (name: string) =>
  (strings: TemplateStringsArray, ...parts: readonly (SqlValue | Fragment)[]): Statement =>
    statement(name, frag(strings, ...parts))

/** Numbers the parameters of a fragment and makes it a statement. */
export const statement = (name: string, fragment: Fragment): Statement => {
  const text: string[] = []
  const values: SqlValue[] = []
  const walk = (part: Fragment): void => {
    for (const chunk of part.chunks) {
      if (chunk instanceof Fragment) walk(chunk)
      else if ('text' in chunk) text.push(chunk.text)
      else text.push(`$${values.push(chunk.value)}`)
    }
  }
  walk(fragment)
  return { name, text: text.join(''), values }
}

export const empty = new Fragment([])

/** A quoted name; several arguments make a qualified one: `ident('public', 'messages')`. */
export const ident = (...path: readonly string[]): Fragment => new Fragment([{ text: path.map(quoteIdent).join('.') }])

/** A quoted literal, for statements that take no parameters (DDL, SET). */
export const literal = (text: string): Fragment => new Fragment([{ text: quoteLiteral(text) }])

/** Text that the source code itself spells out (an operator from a fixed table, a keyword). Never from input. */
export const keyword = (text: string): Fragment => new Fragment([{ text }])

/** Parameter with its value; the same as interpolating the value. */
export const param = (value: SqlValue): Fragment => new Fragment([{ value }])

/** Fragments with `separator` (SQL of ours) between them. */
export const join = (fragments: readonly Fragment[], separator = ', '): Fragment =>
  new Fragment(fragments.flatMap((part, index) => (index === 0 ? [part] : [{ text: separator }, part])))
