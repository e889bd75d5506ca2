/** POST with the name of another method. */
import fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { honourMethodOverride } from './method-override.ts'

const ask = async (method: 'GET' | 'POST', override?: string) => {
  const http = fastify({ rewriteUrl: honourMethodOverride })
  http.all('/x', (request) => ({ method: request.method, body: request.body ?? null }))
  const answer = await http.inject({
    method,
    url: '/x',
    headers: override === undefined ? {} : { 'x-http-method-override': override },
    ...(method === 'POST' ? { payload: { a: 1 } } : {}),
  })
  await http.close()
  return answer.json()
}

describe('X-HTTP-Method-Override', () => {
  it('turns POST into what is meant, with its body', async () => {
    expect(await ask('POST', 'PATCH')).toEqual({ method: 'PATCH', body: { a: 1 } })
    expect(await ask('POST', ' put ')).toEqual({ method: 'PUT', body: { a: 1 } })
    expect(await ask('POST', 'DELETE')).toEqual({ method: 'DELETE', body: { a: 1 } })
  })

  it('turns nothing else, and into nothing else', async () => {
    expect((await ask('POST')).method).toBe('POST')
    expect((await ask('POST', 'GET')).method).toBe('POST')
    expect((await ask('POST', 'TRACE')).method).toBe('POST')
    expect((await ask('GET', 'DELETE')).method).toBe('GET')
  })
})
