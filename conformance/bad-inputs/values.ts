/** What clients should never send, by the place where it can stand. */

const times = (text: string, count: number): string => text.repeat(count)

/** Whole bodies that no endpoint may stumble over. */
export const BODIES: Readonly<Record<string, string | Buffer>> = {
  'an empty body': '',
  'a key of 1 MB': `{"${times('k', 1_000_000)}":1}`,
  'a body beyond 10 MB': `{"text":"${times('v', 10 * 1024 * 1024)}"}`,
  'lists 10,000 deep': times('[', 10_000) + times(']', 10_000),
  'objects 10,000 deep': `${times('{"doc":', 10_000)}1${times('}', 10_000)}`,
  'lists that never close': times('[', 100_000),
  'a key twice': '{"text":"a","text":"b"}',
  __proto__: '{"__proto__":{"text":"x"}}',
  'constructor.prototype': '{"constructor":{"prototype":{"text":"x"}}}',
  NaN: '{"n":NaN}',
  Infinity: '{"n":Infinity}',
  null: 'null',
  'a number': '1',
  'a string': '"text"',
  'a list of nothing': '[null]',
  'rows that differ': '[{"text":"a"},{"n":1}]',
  'half an object': '{"text":',
  'a raw NUL': '{"text":"a\0b"}',
  'GBK bytes': Buffer.from([0x7b, 0x22, 0x74, 0x65, 0x78, 0x74, 0x22, 0x3a, 0x22, 0xc4, 0xe3, 0xba, 0xc3, 0x22, 0x7d]),
  'bytes that are no UTF-8': Buffer.from([0xff, 0xfe, 0xfd, 0x00, 0x80]),
  'a byte order mark': '\ufeff{"text":"x"}',
}

/** JSON for the place of a name, a key or a value inside a body. */
export const TEXTS: Readonly<Record<string, string>> = {
  'an escaped NUL': '"a\\u0000b"',
  'a lone surrogate': '"\\ud800"',
  'a surrogate pair the wrong way round': '"\\udc00\\ud800"',
  'an emoji of seven code points': '"👩‍👩‍👧‍👦"',
  'right-to-left text': '"مرحبا \u202eabc"',
  'full-width digits': '"１２３"',
  '1 MB of text': `"${times('v', 1_000_000)}"`,
  SQL: `"'; drop table item; --"`,
  'a number': '12',
  'an object': '{"a":1}',
  'a list': '["a"]',
  true: 'true',
}

/** Query strings for every endpoint. */
export const QUERIES: Readonly<Record<string, string>> = {
  '10,000 parameters': times('a=1&', 10_000),
  'one parameter 400 times': times('x=eq.1&', 400),
  'a percent sign alone': 'x=%',
  'an invalid escape': 'x=%zz',
  'half a code point': 'x=%ff',
  'an escaped NUL': 'x=%00',
  'dots and slashes': 'x=%2e%2e%2f',
  'names from the prototype': '__proto__=1&constructor=1&toString=1&hasOwnProperty=1',
  brackets: 'x[__proto__][y]=1&x[]=2&[=3&]=4',
  'only separators': times('&=', 1_000),
  'GBK bytes': 'x=%c4%e3%ba%c3',
}

/** Headers for every endpoint. */
export const HEADERS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a garbled Prefer': { prefer: times(',;=,return=x,', 500) },
  'a backward Range': { range: '5-2', 'range-unit': 'items' },
  'a Range of bytes that is none': { range: 'bytes=9-1,-,x' },
  'a Range beyond all numbers': { range: `${times('9', 40)}-${times('9', 41)}` },
  'a garbled Accept': { accept: times(';,"=', 1_000) },
  'a garbled profile': { 'accept-profile': '\u00e9"; drop', 'content-profile': '\u00e9"; drop' },
  'a garbled If-None-Match': { 'if-none-match': times('W/"', 1_000), 'if-modified-since': 'yesterday' },
  'a method that does not exist': { 'x-http-method-override': 'PROPFIND' },
  'a garbled X-Metadata': { 'x-metadata': '%%%', 'cache-control': times('\u00ff', 2_000) },
  'a garbled traceparent': { traceparent: times('-', 5_000), baggage: times('=,', 2_000), 'x-retry-count': 'NaN' },
  'a garbled X-Forwarded-For': { 'x-forwarded-for': `::1, ${times('9', 5_000)}`, forwarded: 'for="' },
}

/** Content types that do not fit a JSON body. */
export const CONTENT_TYPES: readonly string[] = [
  'application/xml',
  ';;;',
  'multipart/form-data',
  'application/json; charset=utf-7',
  'text/csv',
  'application/x-www-form-urlencoded',
  'application/vnd.pgrst.object+json;;=',
  'text/plain',
]

/** Path segments, as they go over the wire. */
export const SEGMENTS: Readonly<Record<string, string>> = {
  'an escaped NUL': 'a%00b',
  dots: '%2e%2e',
  'dots and a slash': '%2e%2e%2f%2e%2e%2fetc',
  'half a code point': '%ff',
  'an invalid escape': '%zz',
  'a percent sign': '%',
  'a lone surrogate in UTF-8': '%ed%a0%80',
  'an overlong slash': '%c0%af',
  __proto__: '__proto__',
  constructor: 'constructor',
  '5,000 characters': times('a', 5_000),
  'a quote and a semicolon': `'%22;`,
  'right-to-left': '%d9%85%e2%80%aeabc',
  'an emoji': '%f0%9f%91%a9%e2%80%8d%f0%9f%91%a9',
  'GBK bytes': '%c4%e3%ba%c3',
}
