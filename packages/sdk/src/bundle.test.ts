/** What ships: ES5 to the last character, nothing that a mini-program lacks, and sizes within their budgets. */
import { gzipSync } from 'node:zlib'
import { type Node, parse } from 'acorn'
import { beforeAll, describe, expect, it } from 'vitest'
import { budgets, bundles } from '../scripts/bundle.js'

let files: Readonly<Record<string, string>> = {}
beforeAll(async () => {
  files = await bundles()
}, 60_000)

const textOf = (name: string): string => files[name] ?? ''

/** Any node of the tree, with its fields. */
type Fields = Node & Readonly<Record<string, unknown>>
const isNode = (value: unknown): value is Fields => typeof value === 'object' && value !== null && 'type' in value

const walk = (node: Fields, visit: (node: Fields, parent: Fields | null, key: string) => void): void => {
  const step = (one: Fields, parent: Fields | null, key: string): void => {
    visit(one, parent, key)
    for (const [name, value] of Object.entries(one))
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) step(child, one, name)
  }
  step(node, null, '')
}

const nameOf = (node: unknown): string => (isNode(node) && node.type === 'Identifier' ? String(node['name']) : '')

/** A name that is a field's or a label's, not a variable's. */
const isPlainName = (parent: Fields | null, key: string): boolean =>
  (parent?.type === 'MemberExpression' && key === 'property' && parent['computed'] !== true) ||
  (parent?.type === 'Property' && key === 'key') ||
  key === 'label'

/** Names that are used and declared nowhere in the file. */
const freeNames = (code: string): string[] => {
  // The parser's nodes are plain objects with these fields.
  const tree = parse(code, { ecmaVersion: 5 }) as unknown as Fields
  const declared = new Set<string>(['arguments'])
  const used = new Set<string>()
  walk(tree, (node, parent, key) => {
    const isDeclaration =
      (parent?.type === 'VariableDeclarator' && key === 'id') ||
      (/^Function/.test(parent?.type ?? '') && (key === 'id' || key === 'params')) ||
      (parent?.type === 'CatchClause' && key === 'param')
    if (nameOf(node) !== '' && !isPlainName(parent, key)) (isDeclaration ? declared : used).add(nameOf(node))
  })
  return [...used].filter((name) => !declared.has(name)).sort()
}

/** The language of every phone that runs base library 2.20, the module system, timers, and `wx`. */
const THERE = new Set(
  `Array ArrayBuffer Boolean DataView Date Error Function Infinity JSON Map Math NaN Number Object Promise Proxy RangeError
  ReferenceError Reflect RegExp Set String Symbol SyntaxError TypeError Uint8Array URIError WeakMap WeakSet Int32Array
  clearInterval clearTimeout console decodeURIComponent encodeURI encodeURIComponent exports isFinite isNaN module
  parseFloat parseInt require setInterval setTimeout undefined wx`.split(/\s+/),
)
/** Looked for with typeof before they are used. */
const GUARDED: Readonly<Record<string, readonly string[]>> = {
  'index.js': ['global', 'globalThis'],
  // Inside a fallback for engines without globalThis, which the adapter gives.
  'supabase.js': [
    'BigInt',
    'BigInt64Array',
    'BigUint64Array',
    'EdgeRuntime',
    'Deno',
    'Iterator',
    'WebSocketPair',
    'Worker',
    'global',
    'self',
    '__magic__',
  ],
}

describe.each(['index.js', 'supabase.js'])('%s', (name) => {
  it('is ES5', () => {
    expect(() => parse(textOf(name), { ecmaVersion: 5 })).not.toThrow()
    // ASCII only: some tools read these files with another encoding.
    expect(Buffer.byteLength(textOf(name))).toBe(textOf(name).length)
  })

  it('uses nothing that a mini-program lacks', () => {
    const allowed = new Set([...THERE, ...(GUARDED[name] ?? [])])
    expect(freeNames(textOf(name)).filter((free) => !allowed.has(free))).toEqual([])
  })

  it('makes no code of text', () => {
    expect(/\beval\(|new Function\b|[^.\w]Function\(["']/.exec(textOf(name))).toBeNull()
  })

  it('stays within its budget', () => {
    expect(textOf(name).length).toBeLessThanOrEqual(budgets[name] ?? 0)
    expect(gzipSync(textOf(name)).length).toBeLessThan(name === 'index.js' ? 20 * 1024 : 72 * 1024)
  })
})

describe('the two files', () => {
  it('share one adapter: the second asks the first for it', () => {
    expect(textOf('supabase.js').match(/require\([^)]*\)/g)).toEqual(['require("./index.js")'])
    expect(textOf('index.js').match(/require\(/g)).toBeNull()
  })

  it('carry the helper of async functions once, where there are any', () => {
    const count = (name: string): number => textOf(name).split('Generator is already executing').length - 1
    expect([count('index.js'), count('supabase.js')]).toEqual([0, 1])
  })
})
