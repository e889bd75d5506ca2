/** Quoting of names and literals for the few places where Postgres takes no parameter. Pure. */

/** An SQL identifier in double quotes. Always quoted, so that case and reserved words never matter. Refuses NUL, which Postgres cannot hold. */
export const quoteIdent = (name: string): string => {
  if (name.includes('\0')) throw new RangeError('an identifier cannot contain NUL')
  return `"${name.replaceAll('"', '""')}"`
}

/** An SQL string literal. A backslash switches to the E'' form, so the result is right whatever standard_conforming_strings says. */
export const quoteLiteral = (text: string): string => {
  if (text.includes('\0')) throw new RangeError('a literal cannot contain NUL')
  const body = text.replaceAll("'", "''")
  return body.includes('\\') ? ` E'${body.replaceAll('\\', '\\\\')}'` : `'${body}'`
}
