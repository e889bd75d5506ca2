/** Malformed, oversized and absurd input: always a 4xx in PostgREST's error shape (or an honest answer), never a 5xx, never slow. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Harness, startHarness } from './harness.ts'

interface Probe {
  readonly what: string
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'PUT'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** The request is odd, but has an answer. */
  readonly fine?: boolean
}

const json = (body: string | Buffer, what: string, path = '/tag', fine = false): Probe => ({
  what,
  method: 'POST',
  path,
  body,
  fine,
})
const repeat = (text: string, times: number): string => Array.from({ length: times }, () => text).join('')
const logic = (depth: number): string => `${repeat('and(', depth)}id.eq.1${repeat(')', depth)}`
const embeds = (depth: number): string => `${repeat('house(street(', depth)}id${repeat('))', depth)}`

const PROBES: readonly Probe[] = [
  json('', 'empty body'),
  json(`{"${'k'.repeat(1_000_000)}":1}`, 'key of a megabyte'),
  json(`{"name":"${'v'.repeat(10_000_000)}"}`, 'body of ten megabytes'),
  json(repeat('[', 10_000) + repeat(']', 10_000), 'JSON ten thousand levels deep'),
  json(`${repeat('{"a":', 10_000)}1${repeat('}', 10_000)}`, 'objects ten thousand levels deep', '/rpc/take_doc'),
  json('{"name":"a","name":"b"}', 'a key twice', '/tag', true),
  json('{"__proto__":{"name":"x"}}', '__proto__ as a key'),
  json('{"constructor":{"prototype":{"x":1}}}', 'constructor.prototype'),
  json('{"name":NaN}', 'NaN'),
  json('{"name":"n","weight":1e400}', 'a number beyond all types'),
  json('{"name":"n","weight":9007199254740993}', 'a number beyond int'),
  json('{"name":"n","weight":-0}', 'minus zero', '/tag', true),
  json('{"name":"a\\u0000b"}', 'an escaped NUL'),
  json('{"name":"a\0b"}', 'a raw NUL'),
  json('{"name":"\\ud800"}', 'a lone surrogate'),
  json('{"name":"👩‍👩‍👧‍👦 مرحبا １２３"}', 'emoji, right-to-left, full-width', '/tag', true),
  json(Buffer.from([0x7b, 0x22, 0x6e, 0xc4, 0xe3, 0x22, 0x7d]), 'GBK bytes'),
  json(Buffer.from([0xff, 0xfe, 0xfd]), 'no UTF-8 at all'),
  json('{"id":1,"number":1,"built":"0001-13-45"}', 'an impossible date', '/house'),
  json('{"id":901,"number":901,"seen_at":"9999-12-31T23:59:60+14:00"}', 'a leap second far away', '/house', true),
  {
    what: 'wrong content type',
    method: 'POST',
    path: '/tag',
    headers: { 'content-type': 'application/xml' },
    body: '<a/>',
  },
  { what: 'garbage content type', method: 'POST', path: '/tag', headers: { 'content-type': ';;;' }, body: '{}' },
  { what: 'empty content type', method: 'POST', path: '/tag', headers: { 'content-type': '' }, body: '{"name":"n"}' },
  {
    what: 'multipart without boundary',
    method: 'POST',
    path: '/tag',
    headers: { 'content-type': 'multipart/form-data' },
    body: 'x',
  },
  { what: 'NUL in a filter', path: '/tag?name=eq.a%00b' },
  { what: 'NUL in a name', path: '/tag?select=%00' },
  { what: 'NUL in the path', path: '/ta%00g' },
  { what: 'NUL in an argument', path: '/rpc/greet?name=%00' },
  { what: 'invalid percent sign', path: '/tag?select=%zz' },
  { what: 'bytes that are no UTF-8', path: '/tag?name=eq.%ff', fine: true },
  { what: 'ten thousand parameters', path: `/tag?${repeat('name=eq.a&', 10_000)}` },
  { what: 'one parameter many times', path: `/tag?${repeat('name=eq.x&', 500)}select=name`, fine: true },
  { what: 'five thousand stars', path: `/tag?select=${repeat('*,', 5_000)}*` },
  { what: 'nine hundred stars', path: `/house?select=${repeat('*,', 900)}*` },
  { what: 'embeds eight deep', path: `/street?select=${embeds(4)}`, fine: true },
  { what: 'embeds fifty deep', path: `/street?select=${embeds(25)}` },
  { what: 'embeds two hundred deep', path: `/street?select=${embeds(100)}` },
  { what: 'unclosed embeds', path: `/street?select=${repeat('house(', 100)}` },
  { what: 'logic two hundred deep', path: `/house?or=(${logic(200)})` },
  { what: 'logic forty deep', path: `/house?or=(${logic(40)})`, fine: true },
  { what: 'wide logic', path: `/house?or=(${repeat('id.eq.1,', 5_000)}id.eq.1)`, fine: true },
  { what: 'empty in', path: '/house?id=in.()', fine: true },
  { what: 'quoted comma in a list', path: '/tag?name=in.("a,b")', fine: true },
  { what: 'twenty thousand values', path: `/house?id=in.(${repeat('1,', 20_000)}1)`, fine: true },
  { what: 'braces that never close', path: `/house?or=(${repeat('tags.cs.{a,', 3_000)})` },
  { what: 'quotes that never close', path: `/house?id=in.(${repeat('"', 20_001)})` },
  { what: 'unknown operator', path: '/house?id=foo.1' },
  { what: 'negative limit', path: '/house?limit=-1' },
  { what: 'offset near the end of bigint', path: '/house?offset=9000000000000000000', fine: true },
  { what: 'offset beyond bigint', path: `/house?offset=${'9'.repeat(39)}` },
  { what: 'offset of a thousand digits', path: `/house?offset=${'9'.repeat(1_000)}`, fine: true },
  { what: 'backward range', path: '/house', headers: { range: '5-2' } },
  { what: 'garbage range', path: '/house', headers: { range: 'bytes=---' }, fine: true },
  { what: 'garbage Prefer', path: '/house', headers: { prefer: `${repeat(',;=,', 2_000)}` }, fine: true },
  { what: 'garbage Accept', path: '/house', headers: { accept: `${repeat(';,"=', 2_000)}` } },
  { what: 'ten thousand percent signs', path: `/tag?name=like.${repeat('%25', 10_000)}`, fine: true },
  { what: 'a pattern that backtracks', path: `/tag?name=match.${encodeURIComponent('(a+)+$')}`, fine: true },
  { what: 'a broken pattern', path: `/tag?name=match.${encodeURIComponent('((((')}` },
  { what: 'deep JSON path', path: `/house?select=details${repeat('->a', 200)}` },
  { what: 'index beyond int', path: '/house?select=details->99999999999999', fine: true },
  { what: 'dots in the path', path: '/..%2f..%2fetc' },
  { what: 'long table name', path: `/${'t'.repeat(5_000)}` },
  { what: 'long alias', path: `/tag?select=${'a'.repeat(5_000)}:name`, fine: true },
  {
    what: 'CSV of commas',
    method: 'POST',
    path: '/tag',
    headers: { 'content-type': 'text/csv' },
    body: repeat(',', 10_000),
    fine: true,
  },
  {
    what: 'CSV that never closes',
    method: 'POST',
    path: '/tag',
    headers: { 'content-type': 'text/csv' },
    body: `name\n"${repeat('""', 10_000)}`,
  },
  { what: 'PATCH with text', method: 'PATCH', path: '/tag?name=eq.x', body: '"text"', fine: true },
  { what: 'PUT with a list', method: 'PUT', path: '/tag?name=eq.x', body: '[1,2]' },
]

/** Long enough for a busy machine, far too short for anything that grows faster than its input. */
const DEADLINE_MS = 5_000

describe('bad input', () => {
  let harness: Harness

  beforeAll(async () => {
    harness = await startHarness({
      config: {
        schemas: ['town'],
        extraSearchPath: ['public'],
        aggregates: true,
        safeUpdate: false,
        txEnd: 'rollback',
      },
    })
  })
  afterAll(() => harness.stop())

  it.each(PROBES)('$what', async ({ method = 'GET', path, headers, body, fine }) => {
    const started = performance.now()
    const answer = await harness.app.inject({
      method,
      url: `/rest/v1${path}`,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { payload: body }),
    })
    expect(performance.now() - started).toBeLessThan(DEADLINE_MS)
    if (fine) return expect(answer.statusCode).toBeLessThan(300)
    expect({ status: answer.statusCode, body: answer.body.slice(0, 300) }).toSatisfy(
      ({ status }: { status: number }) => status >= 400 && status < 500,
    )
    if (path.startsWith('/ta%00g') || path.startsWith('/..')) return
    expect(Object.keys(answer.json()).sort()).toEqual(['code', 'details', 'hint', 'message'])
  })
})
