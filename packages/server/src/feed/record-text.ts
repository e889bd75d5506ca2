/** Reads Postgres's text of a row: `(1,"a b",,"")`. Pure. */

/** The cells of a row, at least one: a row without columns looks like one with a null. Throws RangeError on anything malformed. */
export const parseRecord = (text: string): readonly (string | null)[] => {
  if (!text.startsWith('(') || !text.endsWith(')')) throw new RangeError('a row without parentheses')
  const cells: (string | null)[] = []
  let at = 1
  for (;;) {
    const [cell, end] = text[at] === '"' ? quoted(text, at) : bare(text, at)
    cells.push(cell)
    if (text[end] === ')' && end === text.length - 1) return cells
    if (text[end] !== ',') throw new RangeError('a row that goes on after a cell')
    at = end + 1
  }
}

/** Nothing at all is null. */
const bare = (text: string, from: number): readonly [string | null, number] => {
  let end = from
  while (end < text.length && text[end] !== ',' && text[end] !== ')') end++
  return [end === from ? null : text.slice(from, end), end]
}

/** Quotes and backslashes are doubled inside of quotes. */
const quoted = (text: string, from: number): readonly [string, number] => {
  let at = from + 1
  for (;;) {
    const quote = text.indexOf('"', at)
    if (quote < 0) throw new RangeError('a cell without its second quote')
    if (text[quote + 1] !== '"') {
      const inner = text.slice(from + 1, quote)
      return [
        inner.includes('"') || inner.includes('\\') ? inner.replaceAll('""', '"').replaceAll('\\\\', '\\') : inner,
        quote + 1,
      ]
    }
    at = quote + 2
  }
}
