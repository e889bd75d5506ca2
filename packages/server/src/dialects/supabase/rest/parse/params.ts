/** The query string as a tree of reads: select, filters, order and range, each put at the level that its path names. */
import { DataError } from '../../../../data/errors.ts'
import type { OrderTerm, ReadNode, SelectItem } from '../../../../data/query.ts'
import { and, type Expr } from '../../../../expr/ast.ts'
import { RestError } from '../errors.ts'
import { type ParsedField, parseField } from './field.ts'
import { looksLikeFilter, parseFilter, parseTree } from './filter.ts'
import { parseOrder } from './order.ts'
import { reworded } from './refusals.ts'
import { Scanner, syntaxError } from './scanner.ts'
import { type ParsedItem, parseSelect } from './select.ts'

/** Longest query string and most parameters that are looked at. */
const MAX_QUERY = 256 * 1024
const MAX_PARAMS = 1_000
const MAX_ITEMS = 1_000

export type Pairs = readonly (readonly [name: string, value: string])[]

/** The parameters of a request: a name without a value says nothing. */
export const parseParameters = (query: string): Pairs => {
  const parts = query.split('&', MAX_PARAMS + 1)
  return parsePairs(
    parts.every((part) => part.includes('=')) ? query : parts.filter((part) => part.includes('=')).join('&'),
  )
}

/** Decodes a query string, keeping order and repetitions. */
export const parsePairs = (query: string): Pairs => {
  if (query === '') return []
  if (query.length > MAX_QUERY) throw tooMuch(`the query string is longer than ${MAX_QUERY} characters`)
  const parts = query.split('&', MAX_PARAMS + 1)
  if (parts.length > MAX_PARAMS) throw tooMuch(`more than ${MAX_PARAMS} query parameters`)
  return parts.filter((part) => part !== '').map(parsePair)
}

const tooMuch = (what: string): RestError =>
  new RestError(400, { code: 'PGRST100', message: `The request is too complex: ${what}` })

const parsePair = (part: string): readonly [string, string] => {
  const at = part.indexOf('=')
  const pair = at === -1 ? [decode(part), ''] : [decode(part.slice(0, at)), decode(part.slice(at + 1))]
  const [name = '', value = ''] = pair
  if (name.includes('\0') || value.includes('\0'))
    throw syntaxError('query string', name.replaceAll('\0', ''), 1, 'unexpected NUL')
  return [name, value]
}

/** Percent signs that escape nothing stay as they are; bytes that are no UTF-8 become replacement characters. */
const decode = (text: string): string => {
  const spaced = text.replaceAll('+', ' ')
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    const bytes = spaced.replaceAll(/(?:%[0-9a-f]{2})+/gi, (run) =>
      Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'),
    )
    return bytes
  }
}

/** What the query string asks for. */
export interface ParsedQuery {
  readonly node: ReadNode
  /** Filters of the first level only, as for a PUT. */
  readonly rootFilter: Expr
  readonly columns: readonly string[] | null
  readonly onConflict: readonly string[] | null
  /** Arguments of a function call. */
  readonly arguments: Pairs
  /** No `select`, or `select=*`: a media type of the relation's own may apply. */
  readonly defaultSelect: boolean
  readonly hasRange: boolean
  /** A tree of conditions at any level. */
  readonly hasTree: boolean
}

interface Level {
  readonly item: ParsedItem & { readonly kind: 'embed' }
  readonly level: MutableNode
}

interface MutableNode {
  readonly items: readonly ParsedItem[]
  readonly children: readonly Level[]
  readonly filters: Expr[]
  /** The first `order` of a level counts. */
  order: readonly OrderTerm[] | null
  limit: bigint | null
  offset: bigint
}

/** `forCall`: parameters that do not look like filters are arguments. */
export const parseQuery = (pairs: Pairs, forCall: boolean): ParsedQuery => {
  const select = first(pairs, 'select')
  const root = levelOf(parseSelect(select ?? '*'), { left: MAX_ITEMS })
  const rest: [string, string][] = []
  let hasRange = false
  let hasTree = false
  for (const [name, value] of pairs) {
    if (name === 'select' || name === 'columns' || name === 'on_conflict') continue
    if (isReserved(name)) {
      hasRange ||= name === 'limit' || name === 'offset'
      hasTree ||= /(?:^|\.)(?:and|or)$/.test(name)
      applyReserved(root, name, value)
    } else if (forCall && !name.includes('.') && !looksLikeFilter(value)) rest.push([name, value])
    else applyFilter(root, name, value)
  }
  return {
    node: freeze(root),
    rootFilter: and(root.filters),
    columns: parseNames('columns parameter', first(pairs, 'columns')),
    onConflict: parseNames('on_conflict parameter', first(pairs, 'on_conflict')),
    arguments: rest,
    defaultSelect: select === undefined || select === '*',
    hasRange,
    hasTree,
  }
}

/** Of a repeated parameter the first counts. */
const first = (pairs: Pairs, wanted: string): string | undefined => pairs.find(([name]) => name === wanted)?.[1]

const parseNames = (
  what: 'columns parameter' | 'on_conflict parameter',
  text: string | undefined,
): readonly string[] | null => {
  if (text === undefined) return null
  return reworded(what, text, () => {
    const scanner = new Scanner(what, text)
    const names: string[] = []
    do {
      scanner.skipBlanks()
      names.push(scanner.name())
      scanner.skipBlanks()
    } while (scanner.take(','))
    scanner.finish('"," or end of input')
    return [...new Set(names)]
  })
}

// --- levels

const levelOf = (items: readonly ParsedItem[], budget: { left: number }): MutableNode => {
  budget.left -= items.length
  if (budget.left < 0) throw tooMuch(`more than ${MAX_ITEMS} selected columns`)
  const children = items.flatMap((item) =>
    item.kind === 'embed' ? [{ item, level: levelOf(item.items, budget) }] : [],
  )
  return { items, children, filters: [], order: null, limit: null, offset: 0n }
}

const freeze = (node: MutableNode): ReadNode => {
  let child = 0
  const select = node.items.map((item): SelectItem => {
    if (item.kind === 'field') return item
    const level = node.children[child]?.level
    child += 1
    const { kind, target, hint, join, alias, spread } = item
    return { kind, target, hint, join, alias, spread, node: freeze(level ?? levelOf(item.items, { left: MAX_ITEMS })) }
  })
  return { select, where: and(node.filters), order: node.order ?? [], limit: node.limit, offset: node.offset }
}

/** The level that a path of embed names leads to. */
const descend = (root: MutableNode, path: readonly string[]): MutableNode =>
  path.reduce((node, name) => {
    const child =
      node.children.find(({ item }) => item.alias === name) ?? node.children.find(({ item }) => item.target === name)
    if (child === undefined) throw new DataError({ kind: 'not_embedded', name })
    return child.level
  }, root)

// --- parameters

const RESERVED = new Set(['order', 'limit', 'offset', 'and', 'or'])

const isReserved = (name: string): boolean => RESERVED.has(name.slice(name.lastIndexOf('.') + 1))

const applyReserved = (root: MutableNode, name: string, value: string): void => {
  const path = name.split('.')
  const what = path.pop() ?? ''
  const negated = (what === 'and' || what === 'or') && path.at(-1) === 'not'
  if (negated) path.pop()
  const node = descend(
    root,
    path.map((part) => new Scanner('tree path', part).name()),
  )
  if (what === 'and' || what === 'or') node.filters.push(parseTree(what, negated, value))
  else if (what === 'order') node.order ??= value === '' ? [] : parseOrder(value)
  else if (what === 'limit') node.limit = parseLimit(value)
  else node.offset = parseNumber(value) ?? 0n
}

const parseNumber = (value: string): bigint | null => (/^-?\d{1,40}$/.test(value.trim()) ? BigInt(value.trim()) : null)

const parseLimit = (value: string): bigint | null => {
  const limit = parseNumber(value)
  if (limit !== null && limit < 0n) {
    throw new RestError(416, {
      code: 'PGRST103',
      message: 'Requested range not satisfiable',
      details: 'Limit should be greater than or equal to zero.',
    })
  }
  return limit
}

const applyFilter = (root: MutableNode, name: string, value: string): void => {
  const { path, field } = reworded('tree path', name, () => parseTreePath(name))
  descend(root, path).filters.push(parseFilter(field, value))
}

const parseTreePath = (name: string): { readonly path: readonly string[]; readonly field: ParsedField } => {
  const scanner = new Scanner('tree path', name)
  const path: string[] = []
  let field = parseField(scanner)
  while (scanner.take('.')) {
    path.push(field.name)
    field = parseField(scanner)
  }
  scanner.finish('"." or end of input')
  return { path, field }
}
