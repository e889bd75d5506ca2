/** What ships: ES5 to the last character, nothing that a mini-program lacks, and sizes within their budgets. */
import { createContext, runInContext } from 'node:vm'
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

describe.each(Object.keys(budgets))('%s', (name) => {
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
    expect(gzipSync(textOf(name)).length).toBeLessThan((budgets[name] ?? 0) * (name === 'supabase.js' ? 0.25 : 0.45))
  })
})

describe('the files', () => {
  const required = (name: string) => [...new Set(textOf(name).match(/require\([^)]*\)/g))].sort()

  it('share one adapter: all ask the first for it, and the first asks three others when it is asked for what they have', () => {
    for (const name of Object.keys(budgets).filter((each) => each !== 'index.js'))
      expect(required(name)).toEqual(['require("./index.js")'])
    expect(required('index.js')).toEqual(['extras', 'files', 'realtime'].map((name) => `require("./${name}.js")`))
  })

  it('are all there are: what counts for the budget of the adapter is what every app loads, and what it may load is counted, too', () => {
    expect(Object.keys(files).sort()).toEqual(Object.keys(budgets).sort())
    // The clients on top of it have budgets of their own.
    const adapter = ['index.js', 'files.js', 'realtime.js', 'extras.js', 'tus.js']
    expect(adapter.reduce((sum, name) => sum + textOf(name).length, 0)).toBeLessThan(64 * 1024)
  })

  it('of requests, addresses and messages load the first one alone', async () => {
    const { require, loaded } = load()
    const { createRuntime, Headers, Request, Response, URL, URLSearchParams, AbortController } =
      require('./index.js') as typeof import('./index.ts')
    const url = new URL('rest/v1/notes?select=*&text=like.%E8%8C%B6%25', 'https://tea.example.com:8443/base/')
    url.searchParams.set('order', '茶 id')
    url.protocol = 'wss:'
    expect(url.href).toBe(
      'wss://tea.example.com:8443/base/rest/v1/notes?select=*&text=like.%E8%8C%B6%25&order=%E8%8C%B6+id',
    )
    new URLSearchParams({ a: '1 2' }).get('a')
    const runtime = createRuntime()
    runtime
      .fetch(new Request(url, { method: 'PATCH', body: '{"茶":1}', headers: new Headers({ a: '1' }) }))
      .catch(() => {})
    runtime.localStorage.setItem('a', 'b')
    new AbortController().abort()
    const answer = new Response(new Uint8Array([...new TextEncoder().encode('{"茶":"馆😀"}')]), { status: 201 })
    expect(await answer.json()).toEqual({ 茶: '馆😀' })
    expect(loaded()).toEqual(['./index.js'])
  })

  it('carry the helper of async functions once, where there are any', () => {
    const count = (name: string): number => textOf(name).split('Generator is already executing').length - 1
    expect(Object.keys(budgets).filter((name) => count(name) > 0)).toEqual(['supabase.js'])
    expect(count('supabase.js')).toBe(1)
  })
})

/** The names that platforms hide from every file by wrapping it in a function with such parameters. */
const SHADOWED =
  'window,document,frames,self,location,navigator,localStorage,history,Caches,screen,alert,confirm,prompt,fetch,XMLHttpRequest,WebSocket'

/** An old platform: no globalThis, everything of a browser shadowed, and a `wx` that does nothing. */
const load = () => {
  const context: Record<string, unknown> = { console, setTimeout, clearTimeout, setInterval, clearInterval }
  createContext(context, { codeGeneration: { strings: false, wasm: false } })
  const values = new Map<string, string>()
  const nothing = () => {}
  context['global'] = {}
  context['wx'] = {
    onAppShow: nothing,
    onAppHide: nothing,
    onNetworkStatusChange: nothing,
    getStorageSync: (key: string) => values.get(key) ?? '',
    setStorageSync: (key: string, value: string) => void values.set(key, value),
    removeStorageSync: (key: string) => void values.delete(key),
    request: () => ({ abort: nothing }),
  }
  runInContext('delete globalThis.globalThis; delete this.WebAssembly', context)
  const modules: Record<string, unknown> = {}
  const require = (name: string): unknown => {
    if (name in modules) return modules[name]
    const module = { exports: {} }
    const code = `(function(require,module,exports,${SHADOWED}){${textOf(name.slice(2))}\n})`
    // The value of a function expression is that function.
    const run = runInContext(code, context) as (...args: unknown[]) => void
    run(require, module, module.exports)
    modules[name] = module.exports
    return module.exports
  }
  return { context, require, loaded: () => Object.keys(modules) }
}

describe('on an old platform', () => {
  it('there is no globalThis', () => {
    expect(runInContext('typeof globalThis', load().context)).toBe('undefined')
  })

  it('install defines what is missing on `global`', () => {
    const { context, require } = load()
    const { install } = require('./index.js') as typeof import('./index.ts')
    expect(install()).toContain('FormData')
    expect(context['global']).toMatchObject({ FormData: expect.any(Function), fetch: expect.any(Function) })
  })

  it('supabase-js makes a client, and asks nothing of what is not there', async () => {
    const { require, loaded } = load()
    const { createClient } = require('./supabase.js') as typeof import('./supabase.ts')
    const client = createClient('https://tea.example.com', 'key')
    expect((await client.auth.getSession()).data.session).toBeNull()
    expect(client.storage.from('a').getPublicUrl('茶.png').data.publicUrl).toBe(
      'https://tea.example.com/storage/v1/object/public/a/%E8%8C%B6.png',
    )
    // A question to the server, and no answer.
    client
      .from('notes')
      .select('*')
      .eq('text', '茶')
      .then(() => {})
    await new Promise((resolve) => setTimeout(resolve, 0))
    await client.auth.stopAutoRefresh()
    // Of the adapter no more than requests and sockets need.
    expect(loaded().sort()).toEqual(['./index.js', './realtime.js', './supabase.js'])
  })
})
