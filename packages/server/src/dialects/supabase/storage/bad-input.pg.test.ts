/** What clients should not send: every answer is the dialect's own 4xx, nothing is kept of it, and the next request is served. */

import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, expectRefusal, type Send, sendTo } from '../../../../test/raw-http.ts'
import { type StorageFixture, startStorage } from '../../../../test/storage.ts'

let fixture: StorageFixture

beforeAll(async () => {
  fixture = await startStorage({ fileSizeLimit: 100_000, pace: { bytes: 500, milliseconds: 150 } })
  await fixture.db.sql(`
    insert into storage.buckets (id, name, public) values ('b', 'b', true), ('secret', 'secret', false);
    create policy everything on storage.objects for all to public using (bucket_id = 'b') with check (bucket_id = 'b');
  `)
  await send('POST', '/object/b/existing.txt', 'hello', { 'content-type': 'text/plain' })
  await send('POST', '/object/secret/treasure.txt', 'gold', {
    'content-type': 'text/plain',
    authorization: 'Bearer service_role',
  })
})
afterAll(() => fixture.close())

const send: Send = (...request) => sendTo(fixture.url, ...request)

const storedFiles = async (): Promise<number> =>
  (await readdir(fixture.folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).length
const rowCount = async (): Promise<number> =>
  (
    await fixture.db.owner.maybeOne<{ n: number }>({
      name: 't',
      text: 'select count(*)::int as n from storage.objects',
      values: [],
    })
  )?.n ?? -1

describe('names', () => {
  const NAMES = [
    '..',
    '../x',
    '%2e%2e',
    '%2e%2e/%2e%2e/etc/passwd',
    'a/%2e%2e/%2e%2e/secret/treasure.txt',
    '..%2f..%2fsecret%2ftreasure.txt',
    'a/../../secret/treasure.txt',
    '%00',
    'a%00.png',
    '%5c..%5c',
    'a%5cb',
    '%0d%0aset-cookie:x',
    'a//b',
    '/a',
    '%2fa',
    './a',
    'a/.',
    'a/',
    '%252e%252e%252fx',
    '%ED%A0%80',
    'a%7fb',
    '%E2%80%AEexe',
    `${'x'.repeat(1025)}`,
    `${'%E5%90%8D'.repeat(342)}`,
  ]
  it.each(NAMES)('%s is refused wherever it is an object', async (name) => {
    const json = { 'content-type': 'application/json' }
    for (const [method, path, body] of [
      ['POST', `/object/b/${name}`, 'x'],
      ['PUT', `/object/b/${name}`, 'x'],
      ['GET', `/object/b/${name}`],
      ['GET', `/object/public/b/${name}`],
      ['GET', `/object/authenticated/b/${name}`],
      ['GET', `/object/info/b/${name}`],
      ['POST', `/object/sign/b/${name}`, '{"expiresIn":60}'],
      ['POST', `/object/upload/sign/b/${name}`, '{}'],
      ['DELETE', `/object/b/${name}`],
    ] as const) {
      const answer = await send(method, path, body, json)
      expectRefusal(answer, `${method} ${path} `)
      expect(answer.body).not.toContain('gold')
    }
  })

  it.each(['%', '%zz', '%ff', '%c0%af', '%E4%B8', 'a%'])('%s cannot be decoded and is refused', async (name) => {
    const { status } = await send('GET', `/object/public/b/${name}`)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
  })

  it('that are far too long are refused by the server itself', async () => {
    const answer = await send('GET', `/object/public/b/${'x'.repeat(20_000)}`).catch(() => null)
    if (answer !== null) expect(answer.status).toBeLessThan(500)
  })

  it('differ by case and by normal form', async () => {
    for (const name of ['Case.txt', 'case.txt', 'é.txt', 'e\u0301.txt']) {
      expect((await send('POST', `/object/b/forms/${encodeURIComponent(name)}`, name)).status).toBe(200)
    }
    expect((await send('GET', '/object/public/b/forms/case.txt')).body).toBe('case.txt')
    expect((await send('GET', '/object/public/b/forms/Case.txt')).body).toBe('Case.txt')
  })

  it.each([
    '..',
    '%2e%2e',
    'a%2fb',
    '%00',
    '__proto__',
    'constructor',
    "'; drop table storage.objects --",
    'x'.repeat(4000),
  ])('%s is no bucket', async (bucket) => {
    const name = encodeURI(decodeURIComponent(bucket)) === bucket ? bucket : bucket.replaceAll(' ', '%20')
    expectRefusal(await send('GET', `/object/public/${name}/x`))
    expectRefusal(await send('POST', `/object/${name}/x`, 'x'))
    expectRefusal(await send('GET', `/bucket/${name}`, undefined, { authorization: 'Bearer service_role' }))
  })
})

describe('forms', () => {
  const part = (headers: string, content: string) => `--B\r\n${headers}\r\n\r\n${content}\r\n`
  const file = part(
    'Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain',
    'content',
  )
  const type = 'multipart/form-data; boundary=B'
  const FORMS: readonly (readonly [string, string, string | Buffer])[] = [
    ['no boundary', 'multipart/form-data', `${file}--B--`],
    ['an empty boundary', 'multipart/form-data; boundary=', `${file}--B--`],
    ['another boundary', 'multipart/form-data; boundary=C', `${file}--B--`],
    ['no body', type, ''],
    ['no file', type, `${part('Content-Disposition: form-data; name="a"', 'b')}--B--`],
    ['nothing but the end', type, '--B--'],
    ['no end', type, file],
    ['an end in the middle of the file', type, file.slice(0, -6)],
    ['an end in the headers', type, file.slice(0, 30)],
    [
      'no end after a trailing field',
      type,
      `${file}${part('Content-Disposition: form-data; name="metadata"', '{}').slice(0, -8)}`,
    ],
    ['10,000 fields', type, `${part('Content-Disposition: form-data; name="a"', 'b').repeat(10_000)}${file}--B--`],
    ['a field of 90 kB', type, `${part('Content-Disposition: form-data; name="a"', 'b'.repeat(90_000))}${file}--B--`],
    [
      'a header of 60 kB',
      type,
      `${part(`Content-Disposition: form-data; name="a"; x="${'y'.repeat(60_000)}"`, 'b')}--B--`,
    ],
    ['5,000 headers', type, `--B\r\n${'x: y\r\n'.repeat(5000)}\r\nz\r\n--B--`],
    ['random bytes', type, Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 7919) % 256))],
    [
      'metadata that is no object',
      type,
      `${part('Content-Disposition: form-data; name="metadata"', '[1]')}${file}--B--`,
    ],
    [
      'metadata that is no JSON, after the file',
      type,
      `${file}${part('Content-Disposition: form-data; name="metadata"', '{')}--B--`,
    ],
    [
      'metadata with NUL',
      type,
      `${part('Content-Disposition: form-data; name="metadata"', '{"a":"\\u0000"}')}${file}--B--`,
    ],
    [
      'metadata with a lone surrogate',
      type,
      `${part('Content-Disposition: form-data; name="metadata"', '{"a":"\\ud800"}')}${file}--B--`,
    ],
    [
      'a file that is too large',
      type,
      `--B\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n${'x'.repeat(100_001)}\r\n--B--`,
    ],
  ]
  it.each(FORMS)('with %s are refused and leave nothing', async (_what, contentType, body) => {
    const [rows, stored] = [await rowCount(), await storedFiles()]
    expectRefusal(await send('POST', '/object/b/form.txt', body, { 'content-type': contentType }))
    expect([await rowCount(), await storedFiles()]).toEqual([rows, stored])
  })

  it('may be odd and still right', async () => {
    const upload = async (name: string, body: string, contentType = type) => {
      const { status, body: answer } = await send('POST', `/object/b/odd/${name}`, body, {
        'content-type': contentType,
      })
      expect(status, answer).toBe(200)
      return (await send('GET', `/object/public/b/odd/${name}`)).body
    }
    expect(await upload('preamble', `preamble\r\n${file}--B--\r\nepilogue`)).toBe('content')
    expect(await upload('quoted', `${file}--B--`, 'Multipart/Form-Data; charset=utf-8; boundary="B"')).toBe('content')
    expect(
      await upload('proto', `${part('Content-Disposition: form-data; name="__proto__"', '{"x":1}')}${file}--B--`),
    ).toBe('content')
    expect(await upload('traversal', `${file.replace('a.txt', '../../../etc/passwd')}--B--`)).toBe('content')
    expect(await upload('empty', `${file.replace('content\r', '\r')}--B--`)).toBe('')
    expect(await upload('almost', `${file.replace('content', 'a\r\n--A--\r\n--\r\n-B\r\r\n--\r\nb')}--B--`)).toBe(
      'a\r\n--A--\r\n--\r\n-B\r\r\n--\r\nb',
    )
    expect(await upload('two', `${file}${file.replace('content', 'second')}--B--`)).toBe('content')
  })
})

describe('raw uploads', () => {
  it.each([
    ['a type that would break a header', { 'content-type': 'text/plain; a="' }],
    ['a type that is none', { 'content-type': 'nonsense' }],
    ['metadata that is no JSON', { 'x-metadata': 'AAAA' }],
    ['metadata that is no object', { 'x-metadata': Buffer.from('"x"').toString('base64') }],
  ])('with %s are refused and leave nothing', async (_what, headers) => {
    const [rows, stored] = [await rowCount(), await storedFiles()]
    expectRefusal(await send('POST', '/object/b/raw.txt', 'x', headers as Record<string, string>))
    expect([await rowCount(), await storedFiles()]).toEqual([rows, stored])
  })

  it('that announce too much are refused before they are sent', async () => {
    const { hostname, port } = new URL(fixture.url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    socket.write('POST /storage/v1/object/b/big.bin HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000000\r\n\r\n')
    const [chunk] = await once(socket, 'data')
    expect(String(chunk)).toContain('The object exceeded the maximum allowed size')
    socket.destroy()
  })

  it('that do not say how much and send too much are refused while they are sent', async () => {
    const stored = await storedFiles()
    const { hostname, port } = new URL(fixture.url)
    const answer = await new Promise<Answer>((resolve, reject) => {
      const request = httpRequest(
        { hostname, port, method: 'POST', path: '/storage/v1/object/b/endless.bin' },
        async (response) => {
          resolve({ status: response.statusCode ?? 0, body: await text(response), headers: response.headers })
          request.destroy()
        },
      )
      request.on('error', reject)
      const chunk = Buffer.alloc(20_000)
      const more = () => {
        if (!request.destroyed && !request.writableEnded) request.write(chunk, () => setImmediate(more))
      }
      more()
    })
    expectRefusal(answer)
    expect(await storedFiles()).toBe(stored)
  })

  it('that break off leave nothing', async () => {
    const [rows, stored] = [await rowCount(), await storedFiles()]
    const { hostname, port } = new URL(fixture.url)
    const form = 'Content-Type: multipart/form-data; boundary=B\r\n'
    const formBody = '--B\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nabc'
    for (const [headers, body] of [
      ['Content-Length: 1000\r\n', 'only this'],
      ['Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n'],
      [`${form}Content-Length: 5000\r\n`, formBody],
      [`${form}Transfer-Encoding: chunked\r\n`, `${formBody.length.toString(16)}\r\n${formBody}\r\n`],
    ]) {
      const socket = connect(Number(port), hostname)
      await once(socket, 'connect')
      socket.write(`POST /storage/v1/object/b/broken.bin HTTP/1.1\r\nHost: x\r\n${headers}\r\n${body}`)
      // The upload is under way once its file lies there.
      await expect.poll(storedFiles).toBe(stored + 1)
      socket.destroy()
      await expect.poll(storedFiles).toBe(stored)
    }
    expect(await rowCount()).toBe(rows)
  })

  it('that trickle are cut off and leave nothing', async () => {
    const stored = await storedFiles()
    const { hostname, port } = new URL(fixture.url)
    for (const headers of [
      'Content-Length: 50000\r\n',
      'Content-Type: multipart/form-data; boundary=B\r\nTransfer-Encoding: chunked\r\n',
    ]) {
      const socket = connect(Number(port), hostname)
      await once(socket, 'connect')
      socket.write(`POST /storage/v1/object/b/slow.bin HTTP/1.1\r\nHost: x\r\n${headers}\r\n`)
      await once(socket, 'close')
      await expect.poll(storedFiles).toBe(stored)
    }
  })

  it('that are refused for their caller do not keep the connection', async () => {
    const { hostname, port } = new URL(fixture.url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    socket.write('POST /storage/v1/object/secret/x.bin HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\nabc')
    const [chunk] = await once(socket, 'data')
    expect(String(chunk)).toContain('new row violates row-level security policy')
    socket.destroy()
  })
})

describe('downloads', () => {
  it.each([
    'bytes=5-2',
    'bytes=abc',
    'bytes=0-0,1-1',
    `bytes=${'0-,'.repeat(2000)}0-`,
    'lines=0-1',
    'bytes=-',
    'bytes=99999999999999999999-',
  ])('answer the range %s with the whole', async (range) => {
    const answer = await send('GET', '/object/public/b/existing.txt', undefined, { range })
    expect([answer.status, answer.body]).toEqual([200, 'hello'])
  })
  it('refuse a range beyond the end', async () => {
    const answer = await send('GET', '/object/public/b/existing.txt', undefined, { range: 'bytes=5-' })
    expect([answer.status, answer.headers['content-range']]).toEqual([416, 'bytes */5'])
    expectRefusal(answer)
  })
  it('answer HEAD without a body, also when it fails', async () => {
    expect(await send('HEAD', '/object/public/b/existing.txt')).toMatchObject({ status: 200, body: '' })
    expect(await send('HEAD', '/object/public/b/nothing.txt')).toMatchObject({ status: 400, body: '' })
    expect(await send('HEAD', '/object/public/b/existing.txt', undefined, { range: 'bytes=9-' })).toMatchObject({
      status: 200,
      headers: { 'content-length': '5' },
    })
  })
  it('answer conditional requests without a body', async () => {
    const etag = String((await send('HEAD', '/object/public/b/existing.txt')).headers.etag)
    expect(await send('GET', '/object/public/b/existing.txt', undefined, { 'if-none-match': etag })).toMatchObject({
      status: 304,
      body: '',
    })
    expect(await send('GET', '/object/public/b/existing.txt', undefined, { 'if-match': '"x"' })).toMatchObject({
      status: 412,
    })
  })
  it('do not run what people uploaded', async () => {
    for (const [name, type] of [
      ['x.html', 'text/html'],
      ['x.svg', 'image/svg+xml'],
      ['x.xml', 'application/xml'],
      ['x.js', 'text/javascript'],
    ] as const) {
      await send('POST', `/object/b/active/${name}`, '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', {
        'content-type': type,
      })
      const { headers } = await send('GET', `/object/public/b/active/${name}`)
      expect(headers['content-security-policy'], name).toContain('sandbox')
      expect(headers['x-content-type-options']).toBe('nosniff')
      if (name === 'x.svg')
        expect([headers['content-type'], headers['content-disposition']]).toEqual(['image/svg+xml', undefined])
      if (name === 'x.html') expect(headers['content-disposition']).toMatch(/^attachment/)
      if (name === 'x.js') expect(headers['content-type']).toMatch(/^text\/plain/)
    }
  })
  it('ignore what they do not know', async () => {
    const query = Array.from({ length: 2000 }, (_, index) => `p${index}=x`).join('&')
    for (const path of [
      `?${query.slice(0, 7000)}`,
      '?download=a&download=b',
      '?download=%ff%fe',
      '?download=..%2f..%2fx',
      '?__proto__[x]=1',
      '?token=x&token=y',
    ]) {
      expect((await send('GET', `/object/public/b/existing.txt${path}`)).status, path).toBe(200)
    }
    expectRefusal(await send('GET', '/object/sign/b/existing.txt?token=x&token=y'))
    expectRefusal(await send('GET', '/object/sign/b/existing.txt'))
  })
  it('say that a row without bytes is not there', async () => {
    await fixture.db.sql(`insert into storage.objects (bucket_id, name) values ('b', 'hollow');
      insert into storage.objects (bucket_id, name, version, metadata) values ('b', 'forged', '../../../etc/passwd', '{"size": 5, "mimetype": 7, "eTag": {}, "cacheControl": [1]}')`)
    expectRefusal(await send('GET', '/object/public/b/hollow'))
    const forged = await send('GET', '/object/public/b/forged')
    expect(forged.status).toBe(500)
    expect(JSON.parse(forged.body)).toMatchObject({ message: 'The bytes of this object are missing' })
    await fixture.db.sql(`delete from storage.objects where name in ('hollow', 'forged')`)
  })
})
