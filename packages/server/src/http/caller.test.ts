/** How proofs are found in a request. */
import fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { bearerOf, supabaseProofs } from './caller.ts'

describe('the Authorization header', () => {
  it('carries a bearer in any case, and nothing else', () => {
    expect(bearerOf('Bearer abc')).toBe('abc')
    expect(bearerOf('bearer  abc ')).toBe('abc')
    for (const header of [undefined, '', 'Bearer', 'Bearer ', 'Basic abc', 'abc', 'Bearer a b'])
      expect(bearerOf(header)).toBe(undefined)
  })
})

describe('the proofs of a request', () => {
  const proofsOf = async (url: string, headers: Record<string, string> = {}) => {
    const http = fastify()
    http.get('/', async (request) => supabaseProofs(request))
    return (await http.inject({ url, headers })).json()
  }

  it('are the apikey header and the bearer', async () => {
    expect(await proofsOf('/', { apikey: 'k', authorization: 'Bearer t' })).toEqual({ apikey: 'k', bearer: 't' })
    expect(await proofsOf('/')).toEqual({})
  })

  it('take the key from the query where headers cannot be set, decoded, and the header first', async () => {
    expect(await proofsOf('/?x=1&apikey=a%2Bb')).toEqual({ apikey: 'a+b' })
    expect(await proofsOf('/?apikey=query', { apikey: 'header' })).toEqual({ apikey: 'header' })
    expect(await proofsOf('/?notapikey=x')).toEqual({})
  })
})
