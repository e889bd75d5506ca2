/** What a scope puts into force, and in which order. */
import { describe, expect, it } from 'vitest'
import { type Scope, scopeStatement, searchPathOf } from './scope.ts'

const scope: Scope = { role: 'anon', claims: '{"role":"anon"}', searchPath: '"public"' }

describe('a scope', () => {
  it('sets every setting until the end of the transaction, the role last', () => {
    const { text, values } = scopeStatement({ ...scope, settings: [['request.method', 'GET']], readOnly: true })
    expect(text.match(/set_config\(\$\d+, \$\d+, true\)/g)).toHaveLength(5)
    expect(values).toEqual([
      'search_path',
      '"public"',
      'request.jwt.claims',
      '{"role":"anon"}',
      'request.method',
      'GET',
      'transaction_read_only',
      'on',
      'role',
      'anon',
    ])
  })

  it('refuses the role "none", which would mean the login role', () => {
    expect(() => scopeStatement({ ...scope, role: 'none' })).toThrow(expect.objectContaining({ code: 'forbidden' }))
  })

  it('quotes the schemas of a search path', () => {
    expect(searchPathOf(['public', 'my "own"'])).toBe('"public", "my ""own"""')
    expect(() => searchPathOf(['a\0b'])).toThrow(RangeError)
  })
})
