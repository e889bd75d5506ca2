/** What quoting refuses and how it looks; that it means the same to Postgres is in quote.pg.test.ts. */
import { describe, expect, it } from 'vitest'
import { quoteIdent, quoteLiteral } from './quote.ts'

describe('quoting', () => {
  it('doubles the quotes that would end the text', () => {
    expect(quoteIdent('a"b')).toBe('"a""b"')
    expect(quoteLiteral("a'b")).toBe("'a''b'")
  })

  it('quotes names that need no quotes too, so that case and reserved words never matter', () => {
    expect(quoteIdent('plain')).toBe('"plain"')
    expect(quoteIdent('select')).toBe('"select"')
  })

  it('writes backslashes in the one form that means the same under every setting', () => {
    expect(quoteLiteral('a\\b')).toBe(" E'a\\\\b'")
  })

  it('refuses NUL, which Postgres cannot hold', () => {
    expect(() => quoteIdent('a\0b')).toThrow(RangeError)
    expect(() => quoteLiteral('a\0b')).toThrow(RangeError)
  })
})
