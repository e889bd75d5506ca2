/** Parses the `filter` of a postgres_changes binding: `column=[not.]operator.value`, conditions joined by commas. Pure; knows no columns. */
import type { Condition, ConditionOperator } from '../../../live/condition.ts'

export interface FilterError {
  readonly error: string
}

const OPERATORS: ReadonlySet<string> = new Set<ConditionOperator>([
  'eq',
  'neq',
  'lt',
  'lte',
  'gt',
  'gte',
  'in',
  'like',
  'ilike',
  'is',
  'match',
  'imatch',
  'isdistinct',
])
const HEAD = /^\s*("(?:[^"\\]|\\.)+"|[^=,."()]+)=(not\.)?([a-z]+)\.(.*)$/s
/** Where a comma starts the next condition; any other comma belongs to the value, as it did when there was one condition only. */
const NEXT = /^,\s*(?:"(?:[^"\\]|\\.)+"|[^=,."()]+)=(?:not\.)?(?:eq|neq|lte?|gte?|in|i?like|is|i?match|isdistinct)\./
const MAX_LENGTH = 10_000
const MAX_CONDITIONS = 50
/** Upstream's limit on `in` lists. */
const MAX_VALUES = 100

/** The conditions of a filter, all of which must hold. An empty filter has none. */
export const parseFilter = (text: string): readonly Condition[] | FilterError => {
  if (text.trim() === '') return []
  if (text.length > MAX_LENGTH) return { error: 'the filter is too long' }
  const parts = split(text)
  if (parts.length > MAX_CONDITIONS) return { error: `a filter has at most ${MAX_CONDITIONS} conditions` }
  const conditions: Condition[] = []
  for (const part of parts) {
    const condition = parseCondition(part)
    if ('error' in condition) return condition
    conditions.push(condition)
  }
  return conditions
}

const split = (text: string): readonly string[] => {
  const parts: string[] = []
  let depth = 0
  let quoted = false
  let start = 0
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (quoted) {
      if (character === '\\') index++
      else if (character === '"') quoted = false
      // A quote opens only where a value or an element starts; elsewhere it is an ordinary character.
    } else if (character === '"' && /[.(,=]$/.test(text.slice(Math.max(0, index - 1), index))) quoted = true
    else if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === ',' && depth <= 0 && NEXT.test(text.slice(index, index + 300))) {
      parts.push(text.slice(start, index))
      start = index + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}

const parseCondition = (text: string): Condition | FilterError => {
  const match = HEAD.exec(text)
  const [, column = '', not, operator = '', value = ''] = match ?? []
  if (match === null || !OPERATORS.has(operator)) return { error: `Error parsing \`filter\` params: ["${clip(text)}"]` }
  // Checked against the list of operators just above.
  const op = operator as ConditionOperator
  const values = op === 'in' ? parseList(value) : [unquote(value)]
  if (values === null) return { error: '`in` filter value must be wrapped by parentheses' }
  if (values.length > MAX_VALUES) return { error: `\`in\` filter has more than ${MAX_VALUES} values` }
  return { column: unquote(column.trim()), op, negated: not !== undefined, values }
}

const unquote = (text: string): string => {
  const trimmed = text.trim()
  return /^"(?:[^"\\]|\\.)*"$/s.test(trimmed) ? trimmed.slice(1, -1).replaceAll(/\\(.)/gs, '$1') : text
}

const parseList = (text: string): readonly string[] | null => {
  const inner = /^\((.*)\)$/s.exec(text.trim())?.[1]
  if (inner === undefined) return null
  if (inner.trim() === '') return []
  const items: string[] = []
  let item = ''
  let quoted = false
  for (let index = 0; index < inner.length; index++) {
    const character = inner[index] ?? ''
    if (character === '\\' && quoted) item += character + (inner[++index] ?? '')
    else if (character === ',' && !quoted) {
      items.push(unquote(item))
      item = ''
    } else {
      if (character === '"' && (quoted || item.trim() === '')) quoted = !quoted
      item += character
    }
  }
  items.push(unquote(item))
  return items
}

const clip = (text: string): string => (text.length > 100 ? `${text.slice(0, 100)}…` : text)
