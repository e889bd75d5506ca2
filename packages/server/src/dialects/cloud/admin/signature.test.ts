/** Requests signed by CloudBase's own package are recognised, and no others. */
import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { covers, isSignedBy, readSignature, type SignedRequest } from './signature.ts'

interface Signing {
  sign(options: object): { authorization: string; timestamp: number }
}
// A CommonJS package without types of its own that would fit.
const { sign } = createRequire(import.meta.url)('@cloudbase/signature-nodejs') as Signing

const NOW = 1_760_000_000
const URL = 'http://127.0.0.1:8000/admin?env=dev&seqId=abc'

const signedRequest = (params: object, secretKey = 'key', contentType = 'application/json'): SignedRequest => {
  const headers = {
    Host: '127.0.0.1:8000',
    'Content-Type': contentType,
    'User-Agent': 'tcb-node-sdk/3.18',
    'X-TCB-Source': ',scf',
  }
  const given = {
    secretId: 'AKID',
    secretKey,
    method: 'post',
    url: URL,
    params,
    headers,
    withSignedParams: true,
    timestamp: NOW,
  }
  const { authorization, timestamp } = sign(given)
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return {
    method: 'post',
    address: '//127.0.0.1:8000/admin',
    query: 'env=dev&seqId=abc',
    headers: { ...lower, authorization, 'x-timestamp': String(timestamp) },
    params: { ...params },
  }
}

const check = (request: SignedRequest, key = 'key', now = NOW * 1000): boolean => {
  const signed = readSignature(String(request.headers.authorization))
  return signed !== null && isSignedBy(signed, request, key, now)
}

describe('a signature', () => {
  const params = {
    action: 'database.getDocument',
    collectionName: '茶',
    limit: 20,
    deep: { a: [1] },
    wxCloudApiToken: '',
  }

  it('of the right key is recognised', () => {
    expect(check(signedRequest(params))).toBe(true)
  })

  it('of any parameters is recognised', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue()), (more) => {
        expect(check(signedRequest({ ...params, ...more }))).toBe(true)
      }),
      { seed: 1, numRuns: 100 },
    )
  })

  it('of a form leaves the boundary out', () => {
    const request = signedRequest(params, 'key', 'multipart/form-data')
    const headers = { ...request.headers, 'content-type': 'multipart/form-data; boundary=x' }
    expect(check({ ...request, headers })).toBe(true)
  })

  it.each<[string, (request: SignedRequest) => SignedRequest]>([
    ['another value', (request) => ({ ...request, params: { ...request.params, collectionName: 'tea' } })],
    ['another address', (request) => ({ ...request, address: '//127.0.0.1:8000/web' })],
    ['another query', (request) => ({ ...request, query: 'env=prod' })],
    ['another host', (request) => ({ ...request, headers: { ...request.headers, host: 'tea.example' } })],
    ['another time', (request) => ({ ...request, headers: { ...request.headers, 'x-timestamp': String(NOW + 1) } })],
  ])('does not cover %s', (_name, change) => {
    expect(check(change(signedRequest(params)))).toBe(false)
  })

  it('of another key, or an old one, is refused', () => {
    expect(check(signedRequest(params, 'other'))).toBe(false)
    expect(check(signedRequest(params), 'key', (NOW + 601) * 1000)).toBe(false)
  })

  it('says what it covers', () => {
    const signed = readSignature(String(signedRequest(params).headers.authorization))
    expect(signed !== null && covers(signed, ['action', 'collectionName'])).toBe(true)
    expect(signed !== null && covers(signed, ['transactionId'])).toBe(false)
  })

  it.each([undefined, '', 'Bearer x', 'TC3-HMAC-SHA256 Credential=a/b/c'])('is not read from %j', (header) => {
    expect(readSignature(header)).toBeNull()
  })
})
