/** Bad input that only makes sense at one place, with whether it is refused or has an honest answer. */
import type { Voice } from './endpoints.ts'

export interface Probe {
  readonly voice: Voice
  readonly what: string
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** The status of an input that is odd but has an answer. */
  readonly fine?: number
}

const times = (text: string, count: number): string => text.repeat(count)
const encode = encodeURIComponent

const read = (what: string, query: string, fine?: number): Probe => ({
  voice: 'rest',
  what,
  method: 'GET',
  path: `/rest/v1/item?${query}`,
  ...(fine === undefined ? {} : { fine }),
})
const write = (what: string, body: string, fine?: number): Probe => ({
  voice: 'rest',
  what,
  method: 'POST',
  path: '/rest/v1/item',
  headers: { 'content-type': 'application/json' },
  body,
  ...(fine === undefined ? {} : { fine }),
})

const NUMBERS: readonly Probe[] = [
  write('1e400 in a float', '{"f":1e400}'),
  write('1e400 in a numeric', '{"num":1e400}', 201),
  write('"NaN" in a float', '{"f":"NaN"}', 201),
  write('"Infinity" in a float', '{"f":"Infinity"}', 201),
  write('-0 in a float', '{"f":-0}', 201),
  write('-0 in an integer', '{"n":-0}', 201),
  write('2^53-1', '{"big":9007199254740991}', 201),
  write('2^53+1', '{"big":9007199254740993}', 201),
  write('the largest bigint', '{"big":9223372036854775807}', 201),
  write('one more than the largest bigint', '{"big":9223372036854775808}'),
  write('the smallest bigint', '{"big":-9223372036854775808}', 201),
  write('one less than the smallest bigint', '{"big":-9223372036854775809}'),
  write('2^31 in an integer', '{"n":2147483648}'),
  write('1.5 in an integer', '{"n":1.5}'),
  write('full-width digits in an integer', '{"n":"１２"}'),
  write('a number of 200,000 digits', `{"num":${times('9', 200_000)}}`),
  read('a number of 10,000 digits in a filter', `big=eq.${times('9', 10_000)}`),
  read('2^63 in a filter', 'big=eq.9223372036854775808'),
  read('NaN in a filter', 'n=eq.NaN'),
  read('full-width digits in a filter', `n=eq.${encode('１２')}`),
]

const DATES: readonly Probe[] = [
  write('the year 1', '{"d":"0001-01-01","ts":"0001-01-01T00:00:00Z"}', 201),
  write('the year 9999', '{"d":"9999-12-31","ts":"9999-12-31T23:59:59.999999Z"}', 201),
  write('a leap second', '{"ts":"2016-12-31T23:59:60Z","t":"23:59:60"}', 201),
  write('an offset of +14:00', '{"ts":"2026-01-01T00:00:00+14:00"}', 201),
  write('an offset of -14:00', '{"ts":"2026-01-01T00:00:00-14:00"}', 201),
  write('an offset of +99:00', '{"ts":"2026-01-01T00:00:00+99:00"}'),
  write('the year 300,000', '{"ts":"300000-01-01T00:00:00Z"}'),
  write('the 31st of February', '{"d":"2026-02-31"}'),
  write('hour 25', '{"t":"25:00"}'),
  write('infinity', '{"ts":"infinity"}', 201),
  read('an impossible date in a filter', 'd=eq.2026-13-45'),
]

const QUERIES: readonly Probe[] = [
  read('5,000 stars', `select=${times('*,', 5_000)}*`),
  read('a select of 5,000 names', `select=${times('id,', 5_000)}id`),
  read('an embed 50 deep', `select=${times('part(item(', 25)}id${times('))', 25)}`),
  read('an embed that goes round three times', `select=${times('part(item(', 3)}id${times('))', 3)}`, 200),
  read('an embed of itself', 'select=id,item(id)', 200),
  read('an embed that never closes', `select=${times('part(', 1_000)}`),
  read('an embed that closes too often', `select=part(id${times(')', 1_000)}`),
  read('in.()', 'id=in.()', 200),
  read('in.("a,b")', 'text=in.("a,b")', 200),
  read('quotes that never close', `text=in.(${times('"', 9_999)})`, 200),
  read('in.( without an end', `id=in.(${times('1,', 1_000)}`),
  read('or 200 deep', `or=(${times('and(or(', 100)}id.eq.1${times('))', 100)})`),
  read('or 10 deep', `or=(${times('and(or(', 5)}id.eq.1${times('))', 5)})`, 200),
  read('or of nothing', 'or=()'),
  read('or with 2,000 conditions', `or=(${times('id.eq.1,', 2_000)}id.eq.1)`, 200),
  read('an unknown operator', 'id=evil.1'),
  read('an operator without a value', 'id=eq'),
  read('not not', 'id=not.not.eq.1'),
  read('limit=-1', 'limit=-1'),
  read('limit=NaN', 'limit=NaN', 200),
  read('offset=9e18', 'offset=9e18', 200),
  read('offset=9000000000000000000', 'offset=9000000000000000000', 200),
  read('offset beyond bigint', `offset=${times('9', 40)}`),
  read('an order that is none', 'order=id.sideways'),
  read('an order by nothing', 'order=,,,'),
  read('an order by 900 columns', `order=${times('id,', 900)}id`, 200),
  read('a JSON path 500 deep', `select=doc${times('->a', 500)}`),
  read('a cast to a type that is none', 'select=id::nothing'),
  read('a cast to a type that reads files', 'select=text::regclass'),
  read('a hint that is none', 'select=part!nowhere(id)'),
  read('an aggregate of an aggregate', 'select=id.sum().sum()'),
  read('10,000 percent signs in LIKE', `text=like.${times('%25', 10_000)}`, 200),
  read('a regular expression that backtracks', `text=match.${encode('(a+)+$')}`, 200),
  read('a regular expression that never ends', `text=match.${encode(`${times('(a*)*', 25)}b`)}`, 200),
  read('a regular expression of 1,000 groups', `text=match.${times('(', 1_000)}`),
  read('a repetition beyond all bounds', `text=match.${encode('a{1,99999}')}`),
  read('a text search that is none', `text=fts.${encode('& | ! (')}`),
  read('a range that is none', 'n=ov.{1,2'),
  read('a NUL in a filter', 'text=eq.a%00b'),
  read('half a code point in a filter', 'text=eq.%ff', 200),
  read('a lone surrogate in a filter', 'text=eq.%ed%a0%80', 200),
  {
    ...read('the same filter 900 times', `${times('id=eq.1&', 900)}`),
    path: `/rest/v1/item?${times('id=eq.1&', 900)}select=id`,
    fine: 200,
  },
  { voice: 'rest', what: 'an argument twice', method: 'GET', path: '/rest/v1/rpc/add?a=1&a=2&b=3', fine: 200 },
  { voice: 'rest', what: 'an argument too many', method: 'GET', path: '/rest/v1/rpc/add?a=1&b=2&c=3' },
  {
    voice: 'rest',
    what: 'a forbidden table',
    method: 'GET',
    path: '/rest/v1/secret',
  },
]

const PREFER: readonly Probe[] = [
  'count=exact,count=banana',
  'handling=strict,banana',
  'max-affected=-1',
  'timezone=Nowhere/Land,handling=strict',
  'tx=maybe,handling=strict',
].map((prefer) => ({
  voice: 'rest' as const,
  what: `Prefer: ${prefer}`,
  method: 'PATCH',
  path: '/rest/v1/item?id=eq.1',
  headers: { prefer, 'content-type': 'application/json' },
  body: '{"n":1}',
  ...(prefer.includes('strict') ? {} : { fine: 204 }),
}))

const key = (what: string, name: string, fine?: number): Probe => ({
  voice: 'storage',
  what,
  method: 'POST',
  path: `/storage/v1/object/open/${name}`,
  headers: { 'content-type': 'text/plain' },
  body: 'x',
  ...(fine === undefined ? {} : { fine }),
})
const form = (what: string, type: string, body: string, fine?: number): Probe => ({
  ...key(what, `form-${encode(what)}`, fine),
  headers: { 'content-type': type },
  body,
})
const part = (name: string, value: string): string =>
  `--tea\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
const filePart = '--tea\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\ntea\r\n'
const multipart = 'multipart/form-data; boundary=tea'

const FILES: readonly Probe[] = [
  key('a key of 1,024 characters', times('k', 1_024), 200),
  key('a key of 1,025 characters', times('k', 1_025)),
  key('a key of 1,026 bytes in Chinese', times(encode('茶'), 342)),
  key('a doubled slash', 'a//b'),
  key('a leading slash', '/a'),
  key('a trailing slash', 'a/'),
  key('a dot as a folder', 'a/%2e/b'),
  key('two dots as a folder', 'a/%2e%2e/b'),
  key('a name in capitals', 'CASE.txt', 200),
  key('the same name in small letters', 'case.txt', 200),
  key('a name in Chinese', encode('茶.txt'), 200),
  key('a backslash', 'a%5cb'),
  key('a line break', 'a%0ab'),
  key('a NUL', 'a%00b'),
  key('a right-to-left override', 'a%e2%80%aeb'),
  key('a device of another system', 'CON', 200),
  form('multipart without boundary', 'multipart/form-data', filePart),
  form('multipart with an empty boundary', 'multipart/form-data; boundary=', filePart),
  form('multipart with another boundary', 'multipart/form-data; boundary=coffee', `${filePart}--tea--\r\n`),
  form('multipart of nothing', multipart, ''),
  form('multipart that breaks off', multipart, filePart),
  form('multipart without a file', multipart, `${part('a', 'b')}--tea--\r\n`),
  form('multipart with 1,000 fields', multipart, `${times(part('a', 'b'), 1_000)}${filePart}--tea--\r\n`),
  form('multipart with a field of 1 MB', multipart, `${part('a', times('b', 1_000_000))}${filePart}--tea--\r\n`),
  form('multipart with metadata that is no JSON', multipart, `${part('metadata', '{')}${filePart}--tea--\r\n`),
  form('multipart with a header of 100 kB', multipart, `--tea\r\nx: ${times('y', 100_000)}\r\n\r\n\r\n--tea--\r\n`),
  form('multipart as it should be', multipart, `${filePart}--tea--\r\n`, 200),
  {
    ...form('metadata that is no Base64', 'text/plain', 'x'),
    headers: { 'content-type': 'text/plain', 'x-metadata': '!!!' },
  },
  ...['bytes=5-2', 'bytes=99999999999999999999-', 'bytes=a-b', 'bytes=0-0,1-1'].map((range) => ({
    voice: 'storage' as const,
    what: `Range: ${range}`,
    method: 'GET',
    path: '/storage/v1/object/open/there.txt',
    headers: { range },
    fine: 200,
  })),
  {
    voice: 'storage',
    what: 'a limit of -1',
    method: 'GET',
    path: '/storage/v1/bucket?limit=-1',
  },
]

const BROADCASTS: readonly Probe[] = [
  ['no messages', '{}'],
  ['messages that are no list', '{"messages":{}}'],
  ['a message that is none', '{"messages":[null]}'],
  ['a message without a topic', '{"messages":[{"event":"e","payload":{}}]}'],
  ['a message without an event', '{"messages":[{"topic":"t","payload":{}}]}'],
  ['a message without a payload', '{"messages":[{"topic":"t","event":"e"}]}'],
  ['1,001 messages', JSON.stringify({ messages: Array(1_001).fill({ topic: 't', event: 'e', payload: {} }) })],
  ['a payload of 4 MB', JSON.stringify({ messages: [{ topic: 't', event: 'e', payload: times('x', 4_000_000) }] })],
  ['a private topic that nobody may write', '{"messages":[{"topic":"t","event":"e","payload":{},"private":true}]}'],
].map(([what = '', body = '']) => ({
  voice: 'realtime' as const,
  what,
  method: 'POST',
  path: '/realtime/v1/api/broadcast',
  headers: { 'content-type': 'application/json' },
  body,
}))

export const PROBES: readonly Probe[] = [...NUMBERS, ...DATES, ...QUERIES, ...PREFER, ...FILES, ...BROADCASTS]
