/** The URL classes against Node's own. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import '../testing/lazy.ts'
import { parseUrl } from './parse.ts'
import { serialize, type UrlRecord } from './record.ts'
import { URLSearchParams as OurParams } from './search-params.ts'
import { setPart } from './setters.ts'
import { URL as OurUrl } from './url.ts'

// The long run, and a busy machine.
vi.setConfig({ testTimeout: 120_000 })

const runs = { seed: 20260401, numRuns: process.env['TEAHOUSE_SOAK'] ? 50_000 : 2_000 }
const PARTS = [
  'protocol',
  'username',
  'password',
  'host',
  'hostname',
  'port',
  'pathname',
  'search',
  'hash',
  'href',
  'origin',
] as const

type AnyUrl = URL | OurUrl
const shape = (url: AnyUrl): object => ({
  ...Object.fromEntries(PARTS.map((part) => [part, url[part]])),
  params: [...url.searchParams],
})
const attempt = (make: () => AnyUrl): unknown => {
  try {
    return shape(make())
  } catch (error) {
    return error instanceof TypeError ? 'TypeError' : error
  }
}

/** Pieces that make URLs likely, and mistakes in them. Not `^`: in a path the standard encodes it since 2024, Node 20 does not. */
const piece = fc.constantFrom(
  'http',
  'https',
  'ws',
  'wss',
  'foo',
  ':',
  ':',
  '/',
  '/',
  '//',
  '\\',
  '?',
  '#',
  '@',
  '.',
  '..',
  '%2e',
  '%2E%2e',
  '%',
  '%zz',
  '%41',
  'a',
  'B',
  'z',
  '0',
  '1',
  '80',
  '443',
  '8000',
  '65536',
  '0x7f',
  '0377',
  '256',
  '127.0.0.1',
  '1.2.3',
  '[',
  ']',
  '[::1]',
  '[1:2::3]',
  '[1:0:0:4::]',
  '[::127.0.0.1]',
  'example.com',
  'EXAMPLE',
  '中文',
  '茶馆.中国',
  'ü',
  'ß',
  '😀',
  '\ud800',
  '\t',
  '\n',
  ' ',
  "'",
  '"',
  '<',
  '>',
  '`',
  '{',
  '}',
  '|',
  '~',
  '!',
  '$',
  '&',
  '=',
  '+',
  ',',
  ';',
  '*',
  '(',
  ')',
  'q=1',
  'mailto',
  '-',
  '_',
  '\0',
  '\u007f',
)
const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
const likely = fc
  .tuple(fc.constantFrom('http://', 'https://h', 'ws://a.b/', 'foo://', 'foo:', 'https://u:p@h:8/'), text)
  .map((parts) => parts.join(''))
// The mapping of domain names by UTS 46 is approximated, and drive letters of file URLs are left out: both are documented.
const excluded = (input: string): boolean => /file:/i.test(input)

// Against the standard, Node 20 loses the root of a path of other schemes when dots lead above it.
const losesRoot = (input: string): boolean => /\.\.|%2e/i.test(input)

describe('URL, against the one of Node', () => {
  it('parses what Node parses and refuses what Node refuses', () => {
    fc.assert(
      fc.property(fc.oneof(text, likely), (input) => {
        fc.pre(!excluded(input) && !(!/^[^:]*(https?|wss?):/i.test(input) && losesRoot(input)))
        expect(attempt(() => new OurUrl(input))).toEqual(attempt(() => new URL(input)))
      }),
      runs,
    )
  })

  it('reads usual addresses as its own full parser does', () => {
    const fully = (input: string, on: UrlRecord | null): string => {
      const record = parseUrl(input, on)
      return record ? serialize(record) : 'TypeError'
    }
    const href = (make: () => OurUrl): unknown => {
      try {
        return make().href
      } catch (error) {
        return error instanceof TypeError ? 'TypeError' : error
      }
    }
    const letters = fc.string({ unit: fc.constantFrom(...'aZ09-._~!$&()*+,;=:@%41|[]'.split('')), maxLength: 8 })
    const path = fc.array(letters, { maxLength: 4 }).map((parts) => parts.map((part) => `/${part}`).join(''))
    const address = fc.record({
      scheme: fc.constantFrom('http', 'https', 'ws', 'wss'),
      host: fc.constantFrom(
        'h',
        'tea.example.com',
        'h@h',
        'u:p@tea.example.com',
        'a-b.c',
        '127.0.0.1',
        '1.2.3',
        '256.1.1.1',
        'a.1',
        'x.0x1',
        'a..b',
      ),
      port: fc.constantFrom('', ':', ':80', ':443', ':08000', ':65535', ':65536', ':99999'),
      path,
      query: fc.oneof(
        fc.constant(''),
        letters.map((text) => `?${text}?/^{}`),
      ),
      hash: fc.oneof(
        fc.constant(''),
        letters.map((text) => `#${text}#?'`),
      ),
    })
    const reference = fc.oneof(
      fc.tuple(fc.constantFrom('', '/', '//', './', '../', 'a:'), path, letters).map((parts) => parts.join('')),
      letters.map((text) => `?${text}`),
      letters.map((text) => `#${text}`),
    )
    fc.assert(
      fc.property(address, reference, ({ scheme, host, port, path: way, query, hash }, text) => {
        const whole = `${scheme}://${host}${port}${way}${query}${hash}`
        expect(href(() => new OurUrl(whole))).toBe(fully(whole, null))
        const on = parseUrl(whole, null)
        for (const part of ['protocol', 'pathname'] as const)
          for (const value of [text, way, scheme, `${scheme}:`, '$`https', '$&']) {
            if (on === null) continue
            const fullySet = new OurUrl(whole)
            setPart(fullySet, part, value)
            const quicklySet = new OurUrl(whole)
            Reflect.set(quicklySet, part, value)
            expect(quicklySet.href).toBe(fullySet.href)
          }
        expect(href(() => new OurUrl(text, whole))).toBe(on ? fully(text, on) : 'TypeError')
      }),
      runs,
    )
  })

  it('resolves against a base as Node does', () => {
    const base = fc.constantFrom(
      'https://h:8000/a/b?c#d',
      'http://h',
      'foo://h/a/b',
      'foo:/a/b',
      'mailto:x',
      'ws://u:p@h/a/',
    )
    fc.assert(
      fc.property(text, base, (input, on) => {
        // Against the standard, Node 20 resolves `x#y` on an opaque path.
        fc.pre(!excluded(input) && !(on === 'mailto:x' && input.includes('#')))
        fc.pre(!(/foo:/i.test(on + input) && losesRoot(input)))
        expect(attempt(() => new OurUrl(input, on))).toEqual(attempt(() => new URL(input, on)))
      }),
      runs,
    )
  })

  it('sets parts as Node does', () => {
    const start = fc.constantFrom(
      'https://u:p@h:8000/a/b?c#d',
      'http://h/',
      'foo://h:1/a',
      'foo:/a/b',
      'mailto:x',
      'ws://h:80',
    )
    fc.assert(
      fc.property(start, fc.constantFrom(...PARTS), text, (on, part, value) => {
        // Against the standard, Node 20 refuses to give an empty host to a URL without authority.
        fc.pre(!(on === 'foo:/a/b' && part.startsWith('host')))
        // Against the standard, Node 20 drops the port when it is set to what does not begin with a digit.
        fc.pre(part !== 'origin' && !excluded(value) && !(part === 'port' && !/^[\t\n\r]*(\d|$)/.test(value)))
        fc.pre(!(on.startsWith('foo:') && losesRoot(value)))
        fc.pre(!(part === 'host' && /:(?!\d)/.test(value)))
        const change = (url: AnyUrl): AnyUrl => {
          Reflect.set(url, part, value)
          return url
        }
        expect(attempt(() => change(new OurUrl(on)))).toEqual(attempt(() => change(new URL(on))))
      }),
      runs,
    )
  })
})

describe('URLSearchParams, against the one of Node', () => {
  // Node's own fast path loses characters when a wrong escape and other than ASCII come together.
  const nodeErrs = (value: string): boolean => value.includes('%') && /[^\0-\x7f]/.test(value)
  const word = fc.oneof(text, fc.string({ unit: 'binary' })).filter((value) => !nodeErrs(value))
  const step = fc.oneof(
    fc.record({ do: fc.constantFrom('append', 'set', 'delete', 'has', 'getAll'), name: word, value: word }),
    fc.record({ do: fc.constant('sort'), name: word, value: word }),
  )
  it('reads, changes and writes as Node does', () => {
    fc.assert(
      fc.property(word, fc.array(step, { maxLength: 8 }), (init, steps) => {
        const play = (params: URLSearchParams | OurParams): unknown => {
          const answers = steps.map(({ do: verb, name, value }) => {
            if (verb === 'append') return params.append(name, value)
            if (verb === 'set') return params.set(name, value)
            if (verb === 'delete') return params.delete(name)
            if (verb === 'sort') return params.sort()
            return verb === 'has' ? params.has(name) : params.getAll(name)
          })
          return { answers, text: params.toString(), entries: [...params], size: params.size }
        }
        expect(play(new OurParams(init))).toEqual(play(new URLSearchParams(init)))
      }),
      runs,
    )
  })
})
