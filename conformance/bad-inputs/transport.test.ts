/** Bytes that are not the HTTP they claim to be: lies about length, encoding and chunks. Answered, or cut off in time; never waited for. */
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TestServer } from '../support/server.ts'
import { until } from '../support/until.ts'
import { DEADLINE_MS } from './ask.ts'
import { expectHealthy, startFixture } from './fixture.ts'

let server: TestServer
beforeAll(async () => {
  server = await startFixture()
})
afterAll(() => server.stop())

interface Spoken {
  /** Everything that came back. */
  readonly answer: () => string
  readonly ended: () => boolean
  write(bytes: string | Buffer): void
  close(): void
}

const speak = (): Spoken => {
  const socket = connect(Number(new URL(server.report.url).port), '127.0.0.1')
  let answer = ''
  let ended = false
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    answer += bytes.toString('latin1')
  })
  socket.on('close', () => {
    ended = true
  })
  return {
    answer: () => answer,
    ended: () => ended,
    write: (bytes) => void (socket.writable && socket.write(bytes)),
    close: () => socket.destroy(),
  }
}

const head = (method: string, path: string, headers: Readonly<Record<string, string>>): string => {
  const all = { host: 'x', apikey: server.report.anonKey, 'content-type': 'application/json', ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** The status of the first answer, once its head is there. */
const statusOf = async (spoken: Spoken): Promise<number> => {
  await until('an answer', () => spoken.answer().includes('\r\n\r\n'), { within: DEADLINE_MS })
  spoken.close()
  return Number(/^HTTP\/1\.1 (\d+)/.exec(spoken.answer())?.[1])
}

const WRITES = ['/rest/v1/item', '/storage/v1/object/list/open', '/realtime/v1/api/broadcast', '/nowhere'] as const

describe('bodies that are not what their head says', () => {
  it.each(WRITES)('%s: a gzip that is none is no failure of ours', async (path) => {
    const spoken = speak()
    const body = '{"text":"plain"}'
    const lie = { 'content-encoding': 'gzip', 'content-length': String(body.length) }
    spoken.write(head('POST', path, lie) + body)
    const status = await statusOf(spoken)
    expect(status).toBeLessThan(500)
  })

  it.each(WRITES)('%s: a gzip that nobody unpacks is refused, bomb or not', async (path) => {
    const spoken = speak()
    const body = gzipSync(Buffer.alloc(20_000_000, ' '))
    spoken.write(head('POST', path, { 'content-encoding': 'gzip', 'content-length': String(body.length) }))
    spoken.write(body)
    const status = await statusOf(spoken)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
  })

  it.each(WRITES)('%s: chunks without end are refused once they are too many', async (path) => {
    const spoken = speak()
    spoken.write(head('POST', path, { 'transfer-encoding': 'chunked' }))
    const chunk = `10000\r\n${'a'.repeat(0x10000)}\r\n`
    const feed = setInterval(() => spoken.write(chunk.repeat(8)), 1)
    try {
      expect(await statusOf(spoken)).toSatisfy((status: number) => status === 413 || status === 400)
    } finally {
      clearInterval(feed)
    }
  })

  it.each(WRITES)('%s: a chunk with a size that is none is refused', async (path) => {
    const spoken = speak()
    spoken.write(`${head('POST', path, { 'transfer-encoding': 'chunked' })}zz\r\n{}\r\n0\r\n\r\n`)
    expect(await statusOf(spoken)).toBe(400)
  })

  it.each(WRITES)('%s: a length that is none is refused', async (path) => {
    for (const length of ['-1', '1e9', '0x10', '12, 13']) {
      const spoken = speak()
      spoken.write(`${head('POST', path, { 'content-length': length })}{}`)
      expect(await statusOf(spoken)).toBe(400)
    }
  })

  it.each(WRITES)('%s: a client that leaves in the middle of its body costs nothing', async (path) => {
    for (let count = 0; count < 20; count += 1) {
      const spoken = speak()
      spoken.write(`${head('POST', path, { 'content-length': '1000' })}{"text":`)
      spoken.close()
      await until('its end', spoken.ended)
    }
  })
})

describe('heads that are none', () => {
  const HEADS: Readonly<Record<string, string>> = {
    'no HTTP': 'tea please\r\n\r\n',
    'a TLS greeting': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'a NUL in the path': 'GET /rest/v1/it\0em HTTP/1.1\r\nhost: x\r\n\r\n',
    'a NUL in a header': 'GET /health HTTP/1.1\r\nhost: x\r\nx-a: b\0c\r\n\r\n',
    'a header of 100 kB': `GET /health HTTP/1.1\r\nhost: x\r\nx-a: ${'b'.repeat(100_000)}\r\n\r\n`,
    '10,000 headers': `GET /health HTTP/1.1\r\nhost: x\r\n${'x-a: b\r\n'.repeat(10_000)}\r\n`,
    'a path of 100 kB': `GET /rest/v1/item?id=eq.${'1'.repeat(100_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
    'length and chunks at once':
      'POST /rest/v1/item HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n',
    'a version of the future': 'GET /health HTTP/9.9\r\nhost: x\r\n\r\n',
    'no host': 'GET /health HTTP/1.1\r\n\r\n',
    'a method that does not exist': 'BREW /health HTTP/1.1\r\nhost: x\r\n\r\n',
  }

  it.each(Object.entries(HEADS))('%s is refused', async (_what, bytes) => {
    const spoken = speak()
    spoken.write(Buffer.from(bytes, 'latin1'))
    const status = await statusOf(spoken)
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
  })

  it.each([
    ['an absolute address', 'GET http://elsewhere/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'],
    ['a path in raw UTF-8', 'GET /rest/v1/\u8336 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'],
    ['two slashes', 'GET //health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'],
    ['dots', 'GET /rest/v1/../../health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'],
    ['OPTIONS of the whole server', 'OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'],
    ['an upgrade to something else', 'GET /health HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n'],
  ])('%s has an answer that is no failure of ours', async (_what, bytes) => {
    const spoken = speak()
    spoken.write(Buffer.from(bytes, 'utf8'))
    expect(await statusOf(spoken)).toBeLessThan(500)
  })
})

describe('afterwards', () => {
  it('the server serves, and nothing of ours failed', () => expectHealthy(server))
})
