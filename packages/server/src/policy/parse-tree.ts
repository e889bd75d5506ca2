/** The parse tree of libpg-query, as far as policies are read: one node is an object with one key, its kind. */
import { loadModule, parseSync } from 'libpg-query'
import { isObject, type Json, type JsonObject } from '../kernel/json.ts'

/** A node: its kind and its fields. */
export interface Node {
  readonly kind: string
  readonly fields: JsonObject
}

/** Takes the wrapper off a node; null when it is none. */
export const nodeOf = (value: Json | undefined): Node | null => {
  if (!isObject(value)) return null
  const [entry, ...others] = Object.entries(value)
  if (entry === undefined || others.length > 0) return null
  const [kind, fields] = entry
  return isObject(fields) ? { kind, fields } : null
}

export const nodesOf = (value: Json | undefined): readonly (Node | null)[] =>
  Array.isArray(value) ? value.map((each: Json) => nodeOf(each)) : []

/** The texts of a list of String nodes, for example a qualified name; null when something else is among them. */
export const namesOf = (value: Json | undefined): readonly string[] | null => {
  const names: string[] = []
  for (const node of nodesOf(value)) {
    const text = node?.kind === 'String' ? node.fields.sval : undefined
    if (typeof text !== 'string') return null
    names.push(text)
  }
  return names
}

/** Loads the parser once. It is large, so nothing loads it before the first policy is read. */
export const loadParser = (): Promise<void> => loadModule()

const MAX_TEXT = 50_000

/** The tree of one expression; null when it cannot be parsed. Needs `loadParser` before. */
export const parseExpression = (text: string): Node | null => {
  if (text.length > MAX_TEXT) return null
  try {
    const statement = nodeOf(at(parseSync(`select ${text}`), 'stmts', 0, 'stmt'))
    return nodeOf(at(statement?.fields, 'targetList', 0, 'ResTarget', 'val'))
  } catch {
    return null
  }
}

/** Walks into a tree of unknown shape. */
const at = (value: unknown, ...path: readonly (string | number)[]): Json | undefined => {
  let current: unknown = value
  for (const step of path) {
    if (typeof current !== 'object' || current === null) return undefined
    current = Reflect.get(current, step)
  }
  // What the parser answers is JSON by definition.
  return current as Json | undefined
}
