/** Which requests count as the same, and what is a key. */
import fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import type { Caller } from '../identity/caller.ts'
import { idempotencyOf } from './idempotency.ts'

const digests = async (
  headers: Record<string, string>,
  { user = '', body = 'a', url = '/x' } = {},
): Promise<unknown> => {
  const http = fastify()
  http.addContentTypeParser('text/plain', { parseAs: 'buffer' }, (_request, bytes, done) => done(null, bytes))
  http.post('/*', async (request) => {
    request.caller = {
      role: 'anon',
      userId: (user || null) as Caller['userId'],
      claims: {},
      claimsText: '{}',
      expiresAt: null,
    }
    // Parsed as a buffer above.
    const found = idempotencyOf(request, request.body as Buffer)
    return found === null ? {} : { key: found.key.toString('hex'), request: found.request.toString('hex') }
  })
  const all = { 'content-type': 'text/plain', ...headers }
  return (await http.inject({ method: 'POST', url, headers: all, payload: body })).json()
}
const KEY = { 'idempotency-key': 'k1' }

describe('idempotencyOf', () => {
  it('is nothing without the header', async () => {
    expect(await digests({})).toEqual({})
  })

  it('is the same for the same caller and request, quoted or not', async () => {
    expect(await digests(KEY)).toEqual(await digests({ 'idempotency-key': '"k1"' }))
    expect(await digests(KEY)).toEqual(
      await digests({ ...KEY, 'user-agent': 'other', authorization: 'Bearer refreshed' }),
    )
  })

  it('tells callers, keys and requests apart', async () => {
    const all = [
      await digests(KEY),
      await digests(KEY, { user: 'alice' }),
      await digests({ 'idempotency-key': 'k2' }),
      await digests(KEY, { body: 'b' }),
      await digests(KEY, { url: '/x?y' }),
      await digests({ ...KEY, prefer: 'return=minimal' }),
      await digests({ ...KEY, accept: 'text/csv' }),
    ]
    expect(new Set(all.map((one) => JSON.stringify(one))).size).toBe(all.length)
  })

  it('refuses what is no key', async () => {
    for (const key of ['', ' ', 'a b', '"', '"a', 'x'.repeat(256)])
      expect(await digests({ 'idempotency-key': key }), key).toMatchObject({
        statusCode: 500,
        message: expect.stringContaining('visible'),
      })
  })
})
