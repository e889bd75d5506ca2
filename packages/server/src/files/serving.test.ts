import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRange } from './ranges.ts'
import { attachment, planServe, type RequestHeaders } from './serving.ts'
import type { ObjectMetadata, StoredObject } from './types.ts'

const object = (metadata: ObjectMetadata = {}, name = 'folder/茶馆.png'): StoredObject => ({
  id: '1',
  bucketId: 'b',
  name,
  owner: null,
  ownerId: null,
  version: 'v',
  metadata: {
    eTag: '"abc"',
    mimetype: 'image/png',
    cacheControl: 'max-age=60',
    lastModified: '2026-01-02T03:04:05.678Z',
    ...metadata,
  },
  userMetadata: null,
  createdAt: '2026-01-01T00:00:00.000Z',
  updatedAt: '2026-01-01T00:00:00.000Z',
  lastAccessedAt: '2026-01-01T00:00:00.000Z',
})

const serve = (headers: RequestHeaders = {}, of = object(), size = 100, download?: string) =>
  planServe(of, size, { headers, download })

const MODIFIED = 'Fri, 02 Jan 2026 03:04:05 GMT'

describe('a plain answer', () => {
  it('names type, length, validators and caching', () => {
    expect(serve()).toEqual({
      status: 200,
      range: null,
      body: true,
      headers: {
        'content-type': 'image/png',
        'content-length': '100',
        etag: '"abc"',
        'last-modified': MODIFIED,
        'cache-control': 'max-age=60',
        'accept-ranges': 'bytes',
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'cross-origin',
      },
    })
  })

  it('sends nothing of a row that could break a header', () => {
    const { headers } = serve(
      {},
      object({
        mimetype: 'image/png\r\nset-cookie: x',
        cacheControl: 'a\r\nb',
        eTag: '"a\r\nb"',
        lastModified: 'never',
      }),
    )
    expect(headers['content-type']).toBe('application/octet-stream')
    expect(headers['cache-control']).toBe('no-cache')
    expect(headers.etag).toBeUndefined()
    expect(JSON.stringify(headers)).not.toContain('\\r')
  })
})

describe('conditional requests', () => {
  it.each([
    [{ 'if-none-match': '"abc"' }, 304],
    [{ 'if-none-match': 'W/"abc"' }, 304],
    [{ 'if-none-match': '"x", "abc"' }, 304],
    [{ 'if-none-match': '*' }, 304],
    [{ 'if-none-match': '"x"' }, 200],
    [{ 'if-none-match': 'abc' }, 200],
    [{ 'if-modified-since': MODIFIED }, 304],
    [{ 'if-modified-since': 'Thu, 01 Jan 2026 00:00:00 GMT' }, 200],
    [{ 'if-modified-since': 'garbage' }, 200],
    [{ 'if-none-match': '"x"', 'if-modified-since': MODIFIED }, 200],
    [{ 'if-match': '"abc"' }, 200],
    [{ 'if-match': 'W/"abc"' }, 412],
    [{ 'if-match': '"x"' }, 412],
    [{ 'if-unmodified-since': MODIFIED }, 200],
    [{ 'if-unmodified-since': 'Thu, 01 Jan 2026 00:00:00 GMT' }, 412],
    [{ range: 'bytes=0-9' }, 206],
    [{ range: 'bytes=0-9', 'if-range': '"abc"' }, 206],
    [{ range: 'bytes=0-9', 'if-range': '"old"' }, 200],
    [{ range: 'bytes=0-9', 'if-range': MODIFIED }, 206],
    [{ range: 'bytes=0-9', 'if-range': 'Thu, 01 Jan 2026 00:00:00 GMT' }, 200],
    [{ range: 'bytes=100-' }, 416],
    [{ range: 'bytes=5-2' }, 200],
  ])('%j is answered with %d', (headers, status) => {
    expect(serve(headers).status).toBe(status)
  })

  it('gives ranges their own length', () => {
    expect(serve({ range: 'bytes=90-200' })).toMatchObject({
      range: { start: 90, end: 99 },
      headers: { 'content-length': '10', 'content-range': 'bytes 90-99/100' },
    })
    expect(serve({ range: 'bytes=100-' }).headers).toEqual({ 'content-range': 'bytes */100' })
  })
})

describe('ranges', () => {
  it.each([
    ['bytes=0-', { start: 0, end: 99 }],
    ['bytes=-10', { start: 90, end: 99 }],
    ['bytes=-1000', { start: 0, end: 99 }],
    ['BYTES=1-1', { start: 1, end: 1 }],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=999999999999999-', 'unsatisfiable'],
    ['bytes=-', null],
    ['bytes=', null],
    ['bytes=a-b', null],
    ['items=0-1', null],
    ['bytes=0-1,3-4', null],
    [`bytes=${'0-,'.repeat(5000)}`, null],
    ['bytes=9999999999999999999-', null],
    ['bytes=1.5-2', null],
    [undefined, null],
  ])('%j of 100 bytes is %j', (header, range) => {
    expect(parseRange(header, 100)).toEqual(range)
  })

  it('never leaves the file', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat({ max: 1000 }), (first, last, size) => {
        for (const header of [`bytes=${first}-${last}`, `bytes=${first}-`, `bytes=-${last}`]) {
          const range = parseRange(header, size)
          if (range === null || range === 'unsatisfiable') continue
          expect(range.start).toBeGreaterThanOrEqual(0)
          expect(range.end).toBeLessThan(size)
          expect(range.start).toBeLessThanOrEqual(range.end)
        }
      }),
      { seed: 7 },
    )
  })
})

describe('active content', () => {
  it.each(['text/html', 'application/xhtml+xml', 'text/xml', 'image/svg+xml', 'text/css', 'application/x-unknown'])(
    'locks up %s',
    (mimetype) => {
      const { headers } = serve({}, object({ mimetype }))
      expect(headers['content-security-policy']).toMatch(/default-src 'none'.*; sandbox;/)
      expect(headers['x-content-type-options']).toBe('nosniff')
    },
  )
  it('shows a drawing in place, and makes pages a download', () => {
    expect(serve({}, object({ mimetype: 'image/svg+xml' })).headers['content-disposition']).toBeUndefined()
    expect(serve({}, object({ mimetype: 'image/svg+xml' })).headers['content-type']).toBe('image/svg+xml')
    expect(serve({}, object({ mimetype: 'text/html' })).headers['content-disposition']).toMatch(/^attachment/)
  })
  it('serves scripts as plain text', () => {
    for (const mimetype of ['text/javascript', 'application/javascript; charset=utf-8', 'application/ecmascript']) {
      expect(serve({}, object({ mimetype })).headers['content-type']).toBe('text/plain; charset=utf-8')
    }
  })
})

describe('downloads', () => {
  it('keep the name of the object, or take the one that was asked for', () => {
    expect(serve({}, object(), 1, '').headers['content-disposition']).toBe(
      `attachment; filename="__.png"; filename*=UTF-8''%E8%8C%B6%E9%A6%86.png`,
    )
    expect(serve({}, object(), 1, 'a b.png').headers['content-disposition']).toBe(
      `attachment; filename="a b.png"; filename*=UTF-8''a%20b.png`,
    )
  })
  it('make a header of any name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (name) => {
        const value = attachment(name)
        expect(value).toMatch(/^attachment(; filename="[\x20-\x7e]*"; filename\*=UTF-8''[\w\-.!~%]+)?$/)
        expect(value.split('"').length % 2).toBe(1)
      }),
      { seed: 7, numRuns: process.env.TEAHOUSE_SOAK === '1' ? 100_000 : 1_000 },
    )
  })
})
