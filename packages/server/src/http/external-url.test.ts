import fastify, { type FastifyInstance } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { createExternalUrl } from './external-url.ts'

let app: FastifyInstance | null = null
afterEach(() => app?.close())

const seen = async (
  headers: Record<string, string>,
  { proxies = ['127.0.0.0/8'], configured = null }: { proxies?: string[]; configured?: string | null } = {},
): Promise<string> => {
  app = fastify({ trustProxy: proxies })
  const url = createExternalUrl({ trustedProxies: proxies, configured })
  app.get('/', async (request) => url(request))
  return (await app.inject({ url: '/', headers: { host: 'inner:8000', ...headers } })).body
}

describe('the address that a client uses', () => {
  it.each([
    [{}, 'http://inner:8000'],
    [{ 'x-forwarded-proto': 'https' }, 'https://inner:8000'],
    [{ 'x-forwarded-host': 'api.example.com', 'x-forwarded-proto': 'https' }, 'https://api.example.com'],
    [
      { 'x-forwarded-host': 'api.example.com', 'x-forwarded-port': '8443', 'x-forwarded-proto': 'https' },
      'https://api.example.com:8443',
    ],
    [{ 'x-forwarded-host': 'api.example.com:444', 'x-forwarded-port': '8443' }, 'http://api.example.com:444'],
    [
      { 'x-forwarded-host': 'api.example.com', 'x-forwarded-port': '443', 'x-forwarded-proto': 'https' },
      'https://api.example.com',
    ],
    [{ 'x-forwarded-host': 'a.example', 'x-forwarded-prefix': '/tea/house/' }, 'http://a.example/tea/house'],
    [{ 'x-forwarded-host': 'evil.example, a.example' }, 'http://a.example'],
    [{ 'x-forwarded-host': '[::1]:9' }, 'http://[::1]:9'],
    [
      { 'x-forwarded-host': 'a b', 'x-forwarded-prefix': '//evil', 'x-forwarded-proto': 'javascript' },
      'http://inner:8000',
    ],
    [{ 'x-forwarded-host': 'a.example', 'x-forwarded-prefix': '/a"b', 'x-forwarded-port': '9x' }, 'http://a.example'],
  ])('behind a trusted proxy that says %j is %s', async (headers, url) => {
    expect(await seen(headers)).toBe(url)
  })

  it('is never what a stranger says', async () => {
    const headers = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', 'x-forwarded-prefix': '/x' }
    expect(await seen(headers, { proxies: ['10.0.0.0/8'] })).toBe('http://inner:8000')
    await app?.close()
    expect(await seen(headers, { proxies: [], configured: 'https://api.example.com' })).toBe('https://api.example.com')
  })

  it('is the operator’s where the proxy names the same host but not its prefix', async () => {
    const configured = 'https://api.example.com/tea'
    expect(await seen({ 'x-forwarded-host': 'api.example.com' }, { configured })).toBe(configured)
    await app?.close()
    expect(await seen({ 'x-forwarded-host': 'other.example' }, { configured })).toBe('http://other.example')
  })
})
