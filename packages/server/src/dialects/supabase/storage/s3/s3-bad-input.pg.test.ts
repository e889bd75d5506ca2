/** What S3 clients should not send: every answer is a 4xx (or 501) in S3's own XML, nothing is kept of it, and the next request is served. */
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SignedRequest, signedHeaders } from '../../../../../test/s3-signing.ts'
import { type StorageFixture, startStorage } from '../../../../../test/storage.ts'

let fixture: StorageFixture
beforeAll(async () => {
  fixture = await startStorage({ fileSizeLimit: 100_000, pace: { bytes: 500, milliseconds: 150 } })
  await fixture.db.sql(`insert into storage.buckets (id, name) values ('b', 'b'), ('secret', 'secret');
    create policy "users" on storage.objects for all to authenticated using (bucket_id = 'b') with check (bucket_id = 'b');`)
  expect((await ask('PUT', '/b/there.txt', { body: 'tea' })).status).toBe(200)
  expect((await ask('PUT', '/secret/treasure.txt', { body: 'gold' })).status).toBe(200)
})
afterAll(() => fixture.close())

const BASE = '/storage/v1/s3'
const SERVICE = { accessKeyId: 'service', secret: 'secret' }

interface Asked extends Partial<SignedRequest> {
  readonly body?: string | Buffer
  /** Sent in chunks, without saying how much comes. */
  readonly chunked?: boolean
  /** Not signed. */
  readonly more?: Readonly<Record<string, string>>
}

/** Sends a signed request exactly as written. */
const ask = async (method: string, path: string, { body, more, chunked, ...signed }: Asked = {}) => {
  const target = { ...SERVICE, ...signed, method, path: `${BASE}${path}` }
  const headers = signedHeaders(fixture.url, target)
  const { hostname, port } = new URL(fixture.url)
  const query = target.query === undefined ? '' : `?${target.query}`
  const length: Record<string, string> =
    chunked === true ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(Buffer.byteLength(body ?? '')) }
  return new Promise<{ status: number; body: string; code: string | undefined }>((resolve, reject) => {
    const options = { hostname, port, method, path: `${target.path}${query}`, agent: false }
    const request = httpRequest({ ...options, headers: { ...length, ...headers, ...more } }, async (response) => {
      const answer = await text(response)
      const code = /<Code>(\w+)<\/Code>/.exec(answer)?.[1]
      resolve({ status: response.statusCode ?? 0, body: answer, code })
    })
    request.on('error', reject)
    request.end(body)
  })
}

const storedFiles = async (): Promise<number> =>
  (await readdir(fixture.folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length

const expectRefusal = ({ status, body }: { status: number; body: string }, note = '') => {
  expect(status, note + body).toBeGreaterThanOrEqual(400)
  expect(status === 501 || status < 500, note + body).toBe(true)
  expect(body, note).toMatch(/^<\?xml .*<Error><Code>\w+<\/Code><Message>/s)
  expect(body, note).not.toContain('gold')
}

describe('names', () => {
  it.each([
    '..',
    '../x',
    '%2e%2e/%2e%2e/etc/passwd',
    'a/%2e%2e/%2e%2e/secret/treasure.txt',
    '..%2f..%2fsecret%2ftreasure.txt',
    '%00',
    'a%5cb',
    '%0d%0aset-cookie:x',
    'a//b',
    './a',
    '%ED%A0%80',
    `${'x'.repeat(1025)}`,
  ])('%s is refused wherever it is a key', async (name) => {
    for (const [method, query] of [['PUT'], ['GET'], ['DELETE', 'uploadId=x'], ['POST', 'uploads=']] as const) {
      expectRefusal(await ask(method, `/b/${name}`, { body: 'x', ...(query && { query }) }), `${method} ${name} `)
    }
  })

  it.each(['b/../secret/treasure.txt', 'b/%2e%2e/secret/treasure.txt', '../b/there.txt', '%zz', '', 'b', '/', 'b/%00'])(
    '%s is no source of a copy',
    async (source) => {
      expectRefusal(await ask('PUT', '/b/copy', { headers: { 'x-amz-copy-source': source } }))
      expectRefusal(
        await ask('PUT', '/b/copy', { query: 'partNumber=1&uploadId=x', headers: { 'x-amz-copy-source': source } }),
      )
    },
  )
})

describe('XML', () => {
  const many = (count: number) =>
    `<Delete>${Array.from({ length: count }, (_, index) => `<Object><Key>${index}</Key></Object>`).join('')}</Delete>`
  const laughs = `<!DOCTYPE d [<!ENTITY a "${'x'.repeat(100)}"><!ENTITY b "${'&a;'.repeat(100)}">]><Delete><Object><Key>&b;</Key></Object></Delete>`
  const BAD: readonly (readonly [string, string | Buffer])[] = [
    ['entities that multiply', laughs],
    [
      'an outer entity',
      '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&a;</Key></Object></Delete>',
    ],
    ['an element that does not end', '<Delete><Object><Key>a'],
    ['1,001 objects', many(1001)],
    ['5 MB', Buffer.alloc(5 * 2 ** 20, '<')],
  ]
  it.each(BAD)('with %s is refused', async (_what, body) => {
    expectRefusal(await ask('POST', '/b', { query: 'delete=', body }))
    expectRefusal(await ask('POST', '/b/x', { query: 'uploadId=11111111-1111-4111-8111-111111111111', body }))
  })

  it('that is none, or random, deletes nothing', async () => {
    for (const body of ['', 'x', '{}', '<Delete/>', Buffer.from([0, 255, 254, 60, 62])]) {
      const { status } = await ask('POST', '/b', { query: 'delete=', body })
      expect(status).toBeLessThan(500)
    }
    expect((await ask('GET', '/b/there.txt')).body).toBe('tea')
  })

  it('names what it found in words that cannot be taken for XML', async () => {
    const { body } = await ask('POST', '/b', {
      query: 'delete=',
      body: '<Delete><Object><Key>&lt;a&gt;&amp;&quot;</Key></Object></Delete>',
    })
    expect(body).toContain('<Key>&lt;a&gt;&amp;&quot;</Key>')
  })
})

describe('questions', () => {
  it.each([
    'max-keys=abc',
    'max-keys=-1',
    'delimiter=a',
    'continuation-token=nonsense&list-type=2',
    'marker=%00',
    'list-type=2&start-after=%00',
    'max-uploads=x&uploads=',
    'delimiter=a&uploads=',
    'key-marker=%00&uploads=',
  ])('of a bucket with %s are refused', async (query) => {
    expectRefusal(await ask('GET', '/b', { query }), query)
  })

  it.each(['max-parts=x&uploadId=y', 'part-number-marker=x&uploadId=y', 'partNumber=2', 'partNumber=x'])(
    'of an object with %s are refused',
    async (query) => {
      expectRefusal(await ask('GET', '/b/there.txt', { query }), query)
    },
  )

  it.each(['partNumber=0&uploadId=x', 'partNumber=10001&uploadId=x', 'partNumber=1.5&uploadId=x', 'uploadId=x'])(
    'with which part it is (%s) are refused',
    async (query) => {
      expectRefusal(await ask('PUT', '/b/part', { query, body: 'x' }), query)
    },
  )

  it('ask for more than there is and get what there is', async () => {
    for (const range of ['bytes=0-999999999999', 'bytes=0-0,1-1,2-2', 'bytes=-0', 'lines=1']) {
      const { status } = await ask('GET', '/b/there.txt', { headers: { range } })
      expect([200, 206, 416]).toContain(status)
    }
  })
})

describe('bodies', () => {
  const leaveNothing = async (send: () => Promise<unknown>): Promise<void> => {
    const before = await storedFiles()
    await send()
    await expect.poll(storedFiles).toBe(before)
  }

  it.each([
    ['a hash that is none', { 'x-amz-checksum-crc32': 'nonsense' }],
    ['a checksum of another kind of value', { 'x-amz-checksum-crc32': 'AAAAAAAAAAA=' }],
    ['an MD5 that is none', { 'content-md5': 'nonsense' }],
    ['a trailer that does not come', { 'x-amz-trailer': 'x-amz-checksum-sha256' }],
    ['a type that would break a header', { 'content-type': 'text/plain; a="' }],
    ['a condition that is not understood', { 'if-none-match': '"x"' }],
  ])('with %s are refused and leave nothing', async (_what, headers) => {
    await leaveNothing(async () => expectRefusal(await ask('PUT', '/b/bad', { body: 'x', headers })))
  })

  it('with a way of hashing that does not exist are refused', async () => {
    for (const hash of ['x', 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD', 'STREAMING-', 'a'.repeat(63)]) {
      expectRefusal(await ask('PUT', '/b/bad', { body: 'x', more: { 'x-amz-content-sha256': hash } }), hash)
    }
  })

  it('that are too large are refused, announced or not', async () => {
    await leaveNothing(async () => {
      expect((await ask('PUT', '/b/big', { body: Buffer.alloc(100_001) })).code).toBe('EntityTooLarge')
      expect((await ask('PUT', '/b/big', { body: Buffer.alloc(100_001), chunked: true })).code).toBe('EntityTooLarge')
    })
  })

  it('that break off or trickle leave nothing', async () => {
    const { hostname, port } = new URL(fixture.url)
    const headers = signedHeaders(fixture.url, { ...SERVICE, method: 'PUT', path: `${BASE}/b/half` })
    const lines = Object.entries({ host: `${hostname}:${port}`, ...headers, 'content-length': '50000' })
    const start = `PUT ${BASE}/b/half HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}`).join('\r\n')}\r\n\r\n`
    await leaveNothing(async () => {
      const broken = connect(Number(port), hostname)
      await once(broken, 'connect')
      broken.write(`${start}only this`)
      await expect.poll(() => readdir(`${fixture.folder}/unfinished`)).toHaveLength(1)
      broken.destroy()
      const slow = connect(Number(port), hostname)
      await once(slow, 'connect')
      slow.write(start)
      await once(slow.resume(), 'close')
    })
    expect((await ask('GET', '/b/half')).code).toBe('NoSuchKey')
  })
})

describe('signatures', () => {
  it('that are old, of tomorrow, of another service or cut short are refused', async () => {
    const hour = 3_600_000
    for (const now of [Date.now() - hour, Date.now() + hour]) {
      expect((await ask('GET', '/b/there.txt', { now })).code).toBe('RequestTimeTooSkewed')
    }
    const { authorization = '' } = signedHeaders(fixture.url, {
      ...SERVICE,
      method: 'GET',
      path: `${BASE}/b/there.txt`,
    })
    for (const forged of [
      authorization.replace('/s3/', '/sqs/'),
      authorization.slice(0, -1),
      authorization.replace(/SignedHeaders=[^,]+/, 'SignedHeaders=x-amz-date'),
      authorization.replace('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1'),
      authorization.replace('service/', '/'),
      'AWS service:c2lnbmF0dXJl',
      `${authorization}${', x=y'.repeat(2000)}`,
    ]) {
      expectRefusal(await ask('GET', '/b/there.txt', { more: { authorization: forged } }), forged.slice(0, 120))
    }
  })

  it('do not cover headers that somebody added on the way', async () => {
    expectRefusal(await ask('PUT', '/b/there.txt', { more: { 'x-amz-copy-source': 'secret/treasure.txt' } }))
    expect((await ask('GET', '/b/there.txt')).body).toBe('tea')
  })
})

it('goes on serving after all of this', async () => {
  expect((await ask('GET', '/b/there.txt')).body).toBe('tea')
})
