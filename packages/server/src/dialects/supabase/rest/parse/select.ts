/** The `select` parameter: columns with aliases, casts and aggregates, and embedded resources. */
import type { Aggregate } from '../../../../data/query.ts'
import type { PathStep } from '../../../../expr/ast.ts'
import { parsePath } from './field.ts'
import { reworded } from './refusals.ts'
import { Scanner } from './scanner.ts'

/** How deep embeds may nest. Rows multiply with every level: 25 levels over a cycle of tables kept a server busy for a minute. */
const MAX_EMBED_DEPTH = 12

export type ParsedItem = ParsedColumn | ParsedEmbed

export interface ParsedColumn {
  readonly kind: 'field'
  readonly name: string
  readonly path: readonly PathStep[]
  readonly alias: string | null
  readonly cast: string | null
  readonly aggregate: Aggregate | null
}

export interface ParsedEmbed {
  readonly kind: 'embed'
  readonly target: string
  readonly hint: string | null
  readonly join: 'inner' | 'left'
  readonly alias: string | null
  readonly spread: boolean
  readonly items: readonly ParsedItem[]
}

export const parseSelect = (text: string): readonly ParsedItem[] =>
  reworded('select parameter', text, () => {
    const scanner = new Scanner('select parameter', text)
    const items = parseItems(scanner, 0)
    scanner.finish('",", "(" or end of input')
    return items
  })

const parseItems = (scanner: Scanner, depth: number): readonly ParsedItem[] => {
  if (depth > MAX_EMBED_DEPTH) throw scanner.tooDeep(MAX_EMBED_DEPTH)
  const items: ParsedItem[] = []
  scanner.skipBlanks()
  if (scanner.done || scanner.peek() === ')') return items
  do {
    scanner.skipBlanks()
    items.push(parseItem(scanner, depth))
    scanner.skipBlanks()
  } while (scanner.take(','))
  return items
}

const parseItem = (scanner: Scanner, depth: number): ParsedItem => {
  if (scanner.take('...')) return parseEmbed(scanner, { target: scanner.name(), alias: null, spread: true, depth })
  if (scanner.take('*')) return column({ name: '*' })
  if (scanner.take('count()')) return column({ name: '*', ...parseAggregateTail(scanner, 'count') })
  const first = scanner.name()
  const aliased = scanner.peek() === ':' && scanner.peek(1) !== ':'
  if (aliased) scanner.require(':')
  const alias = aliased ? first : null
  if (aliased && scanner.take('count()')) return column({ name: '*', alias, ...parseAggregateTail(scanner, 'count') })
  const name = aliased ? scanner.name() : first
  if (scanner.peek() === '(' || scanner.peek() === '!')
    return parseEmbed(scanner, { target: name, alias, spread: false, depth })
  return parseColumn(scanner, name, alias)
}

const column = (fields: Partial<ParsedColumn> & Pick<ParsedColumn, 'name'>): ParsedColumn => ({
  kind: 'field',
  path: [],
  alias: null,
  cast: null,
  aggregate: null,
  ...fields,
})

const AGGREGATES = ['count', 'sum', 'avg', 'min', 'max'] as const

const parseColumn = (scanner: Scanner, name: string, alias: string | null): ParsedColumn => {
  const path = parsePath(scanner)
  const cast = parseCast(scanner)
  if (!scanner.take('.')) return column({ name, path, alias, cast })
  const aggregate = AGGREGATES.find((each) => scanner.take(`${each}()`))
  if (aggregate === undefined) throw scanner.unexpected('"sum()", "avg()", "count()", "max()" or "min()"')
  return column({ name, path, alias, cast, ...parseAggregateTail(scanner, aggregate) })
}

const parseAggregateTail = (scanner: Scanner, name: Aggregate['name']): { readonly aggregate: Aggregate } => ({
  aggregate: { name, cast: parseCast(scanner) },
})

const CAST_CHAR = /[\p{L}\p{N}_ $]/u

const parseCast = (scanner: Scanner): string | null => {
  if (!scanner.take('::')) return null
  const name = scanner.takeWhile((char) => CAST_CHAR.test(char)).trim()
  if (name === '') throw scanner.unexpected('letter, digit or "_"')
  return name
}

interface EmbedStart {
  readonly target: string
  readonly alias: string | null
  readonly spread: boolean
  readonly depth: number
}

const parseEmbed = (scanner: Scanner, { target, alias, spread, depth }: EmbedStart): ParsedEmbed => {
  let hint: string | null = null
  let join: 'inner' | 'left' = 'left'
  while (scanner.take('!')) {
    const parameter = scanner.name()
    if (parameter === 'inner' || parameter === 'left') join = parameter
    else if (hint === null) hint = parameter
    else throw scanner.unexpected('"("')
  }
  scanner.require('(')
  const items = parseItems(scanner, depth + 1)
  scanner.require(')', '",", ")" or "("')
  return { kind: 'embed', target, hint, join, alias, spread, items }
}
