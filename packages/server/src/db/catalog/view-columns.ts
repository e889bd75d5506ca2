/**
 * Which columns of a view are nothing but columns of other relations, read from the view's stored query tree. Pure.
 *
 * Postgres marks every target entry with the relation and column that it came from, also through subqueries and common table
 * expressions; only its text form (pg_node_tree) is visible from outside. One pass over that text, no recursion, linear in its length.
 */

/** One output column of a view: position in the view, and where it came from. */
export interface TargetEntry {
  readonly position: number
  readonly relation: number
  readonly column: number
}

/** Braces at which the entries of the outermost query sit: `({QUERY … :targetList ({TARGETENTRY …`. */
const QUERY_DEPTH = 1
const ENTRY_DEPTH = 2

/** The entries of the outermost query's target list that come straight from a relation's column. */
export const parseTargetList = (tree: string): readonly TargetEntry[] => {
  const entries: TargetEntry[] = []
  let depth = 0
  let inTargetList = false
  let fields = new Map<string, string>()
  let at = 0
  while (at < tree.length) {
    const token = nextToken(tree, at)
    at = token.end
    if (token.text === '{') {
      depth += 1
      if (depth === ENTRY_DEPTH && inTargetList) fields = new Map()
    } else if (token.text === '}') {
      if (depth === ENTRY_DEPTH && inTargetList) addEntry(entries, fields)
      depth -= 1
    } else if (depth === QUERY_DEPTH && token.text.startsWith(':')) {
      inTargetList = token.text === ':targetList'
    } else if (depth === ENTRY_DEPTH && inTargetList && token.text.startsWith(':res')) {
      const value = nextToken(tree, at)
      // The value is consumed with its key: a column may well be called ":resno".
      at = value.end
      fields.set(token.text, value.text)
    }
  }
  return entries
}

const addEntry = (entries: TargetEntry[], fields: ReadonlyMap<string, string>): void => {
  const relation = Number(fields.get(':resorigtbl') ?? 0)
  if (relation === 0 || fields.get(':resjunk') === 'true') return
  entries.push({ position: Number(fields.get(':resno')), relation, column: Number(fields.get(':resorigcol')) })
}

const SPACE = new Set([' ', '\n', '\t', '\r'])
const ALONE = new Set(['{', '}', '(', ')', '[', ']'])

const nextToken = (tree: string, from: number): { readonly text: string; readonly end: number } => {
  let start = from
  while (start < tree.length && SPACE.has(tree.charAt(start))) start += 1
  const first = tree.charAt(start)
  if (ALONE.has(first)) return { text: first, end: start + 1 }
  let end = start
  while (end < tree.length) {
    const char = tree.charAt(end)
    if (SPACE.has(char) || ALONE.has(char)) break
    // A backslash protects whatever follows it, so that names may hold blanks and braces.
    end += char === '\\' ? 2 : 1
  }
  return { text: tree.slice(start, end), end: Math.max(end, start + 1) }
}
