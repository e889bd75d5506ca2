/** Reads Postgres's text form of arrays: `{a,"b,c",NULL,{…}}`. Pure. */

export type ArrayText = readonly (string | null | ArrayText)[]

/** Null when the text is not an array. Bounds like `[0:2]={…}` are skipped: JSON has no place for them. */
export const parseArray = (text: string, delimiter = ','): ArrayText | null => {
  const start = text.startsWith('[') ? text.indexOf('=') + 1 : 0
  const reader = { text, position: start, delimiter }
  const value = readArray(reader)
  return value !== null && reader.position === text.length ? value : null
}

interface Reader {
  readonly text: string
  position: number
  readonly delimiter: string
}

const readArray = (reader: Reader): ArrayText | null => {
  if (reader.text[reader.position] !== '{') return null
  reader.position++
  const values: (string | null | ArrayText)[] = []
  if (reader.text[reader.position] === '}') {
    reader.position++
    return values
  }
  for (;;) {
    const value = readElement(reader)
    if (value === undefined) return null
    values.push(value)
    const next = reader.text[reader.position++]
    if (next === '}') return values
    if (next !== reader.delimiter) return null
  }
}

const readElement = (reader: Reader): string | null | ArrayText | undefined => {
  const first = reader.text[reader.position]
  // Postgres allows six dimensions, so the recursion is bounded by what its own output can hold.
  if (first === '{') return readArray(reader) ?? undefined
  if (first === '"') return readQuoted(reader)
  const start = reader.position
  while (reader.position < reader.text.length) {
    const character = reader.text[reader.position]
    if (character === '}' || character === reader.delimiter) break
    if (character === '\\') reader.position++
    reader.position++
  }
  if (reader.position >= reader.text.length) return undefined
  const raw = reader.text.slice(start, reader.position)
  return raw === 'NULL' ? null : raw.replaceAll(/\\(.)/gs, '$1')
}

const readQuoted = (reader: Reader): string | undefined => {
  let value = ''
  for (let index = reader.position + 1; index < reader.text.length; index++) {
    const character = reader.text[index]
    if (character === '\\') value += reader.text[++index] ?? ''
    else if (character === '"') {
      reader.position = index + 1
      return value
    } else value += character
  }
  return undefined
}
