/** Builds what ships: the adapter in its files and supabase-js on top of it, CommonJS, ES5, minified, in the folder that WeChat copies. */
import { readFileSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { minify, transform } from '@swc/core'
import { transform as mangle } from 'esbuild'
import { rolldown } from 'rolldown'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = (name) => join(root, 'src', name)

/**
 * Sizes that a test holds the files to, bytes. index.js is what every app loads; of the others each is loaded when something in it is first
 * used, and none of them is needed for requests, files and usual addresses.
 */
export const budgets = {
  'index.js': 25 * 1024,
  'files.js': 12 * 1024,
  'realtime.js': 8 * 1024,
  'extras.js': 14 * 1024,
  'tus.js': 6 * 1024,
  'cloud.js': 30 * 1024,
  'supabase.js': 300 * 1024,
}

/** The files that index.js loads when it is asked for what they have, the sources that go there, and the public names among them. */
const LAZY = {
  'files.js': {
    entry: 'files.ts',
    sources: [
      'body/copies.ts',
      'body/files.ts',
      'body/form-data.ts',
      'body/media-type.ts',
      'body/multipart.ts',
      'body/stream.ts',
      'net/streamed-answer.ts',
      'net/upload.ts',
    ],
    names: ['Blob', 'File', 'FormData', 'ReadableStream', 'wxFile'],
  },
  'realtime.js': {
    entry: 'realtime.ts',
    sources: ['net/event-source.ts', 'net/sse.ts', 'net/web-socket.ts'],
    names: [],
  },
  'extras.js': {
    entry: 'extras.ts',
    sources: [
      'core/abort-any.ts',
      'core/base64.ts',
      'core/clone.ts',
      'core/encoding.ts',
      'install.ts',
      'url/host.ts',
      'url/parse.ts',
      'url/percent-bytes.ts',
      'url/setters.ts',
    ],
    names: ['TextDecoder', 'TextEncoder', 'atob', 'btoa', 'install', 'structuredClone', 'webApis'],
  },
}

/**
 * Classes as plain functions and loops as plain loops: the assumptions hold for our own code, which iterates arrays only, and
 * were checked for supabase-js by running it (conformance/sdk).
 */
const ours = {
  iterableIsArray: true,
  ignoreFunctionLength: true,
  ignoreFunctionName: true,
  ignoreToPrimitiveHint: true,
  noClassCalls: true,
  noDocumentAll: true,
  setClassMethods: true,
  setPublicClassFields: true,
  setSpreadProperties: true,
  superIsCallableConstructor: true,
}
const theirs = { noClassCalls: true, noDocumentAll: true, setPublicClassFields: true, privateFieldsAsProperties: true }

/** What supabase-js looks for among the globals and a mini-program does not have comes from the adapter. */
const INJECTED = [
  'AbortController',
  'AbortSignal',
  'Blob',
  'DOMException',
  'File',
  'FormData',
  'Headers',
  'ReadableStream',
  'Request',
  'Response',
  'TextDecoder',
  'TextEncoder',
  'URL',
  'URLSearchParams',
  'atob',
  'btoa',
  'fetch',
  'globalThis',
  'queueMicrotask',
  'structuredClone',
]

/** What is not there on any phone: code for it is left out of the bundle. */
const ABSENT = [
  'window',
  'document',
  'location',
  'navigator',
  'process',
  'Buffer',
  'WebSocket',
  'CloseEvent',
  'localStorage',
  'BroadcastChannel',
  'PublicKeyCredential',
  'crypto',
]

/**
 * supabase-js looks for a tracing library by `import()` of a name in a variable, and goes on without when that fails. There is
 * no `import()` in a mini-program, not even as syntax: it fails at once.
 */
const DYNAMIC_IMPORT = /\bimport\((?:\/\*.*?\*\/|\s)*[\w$.]+\s*\)/g
const withoutDynamicImport = (code) =>
  code.replace(DYNAMIC_IMPORT, "Promise.reject(new TypeError('no dynamic import'))")

const aliases = (supabase) => ({
  name: 'aliases',
  resolveId(id, importer) {
    // The other files ask the first for everything that runs.
    if (id === '@teahouse/sdk' || (id === './index.ts' && importer !== undefined))
      return { id: './index.js', external: true }
    if (id === '@supabase/supabase-js') return supabase
    return null
  },
})

/** What a source imports for use at run time: names by the file that has them. */
function importsOf(file) {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(/^import (?!type )\{([^}]*)\} from '(\.[^']+)'/gm)].map(([, names, path]) => ({
    target: join(dirname(file), path),
    names: names
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '' && !name.startsWith('type ')),
  }))
}

/** What the lazy files take from the first one, besides what it exports to everybody: names by source. */
function sharedNames() {
  const shared = new Map()
  for (const { sources } of Object.values(LAZY))
    for (const { target, names } of sources.flatMap((path) => importsOf(source(path)))) {
      if (fileOf(target) !== 'index.js') continue
      shared.set(target, new Set([...(shared.get(target) ?? []), ...names]))
    }
  return shared
}

/** Which of the files a source goes to. */
const fileOf = (path) =>
  Object.keys(LAZY).find((name) => LAZY[name].sources.some((each) => source(each) === path)) ?? 'index.js'

/** What index.js exports to everybody, by source: of these the other files take the public name. */
const publicNames = () =>
  new Map(
    [...readFileSync(source('index.ts'), 'utf8').matchAll(/^export \{([^}]*)\} from '(\.[^']+)'/gm)].map(
      ([, names, path]) => [source(path), names.split(',').map((name) => name.trim())],
    ),
  )
const sharedAs = (path, name) => (publicNames().get(path)?.includes(name) ? name : `_${name}`)

const ENTRY = '\0entry'
const CORE = '\0core:'

/** The first file, with names for the others (they begin with `_` and are shortened alike everywhere), and without what the others have. */
const asCore = {
  name: 'core',
  resolveId(id, importer) {
    if (id === ENTRY || importer === ENTRY) return id
    if (id.slice(2) in LAZY) return { id, external: true }
    const path = importer === undefined ? id : join(dirname(importer), id)
    if (fileOf(path) !== 'index.js') throw new Error(`${importer} imports ${id}, which belongs to another file`)
    return null
  },
  load: (id) => {
    if (id !== ENTRY) return null
    const lines = [...sharedNames()].map(([path, names]) => {
      const own = [...names].filter((name) => sharedAs(path, name) !== name).map((name) => `${name} as _${name}`)
      return `export { ${own.join(', ')} } from ${JSON.stringify(path)}`
    })
    return [`export * from ${JSON.stringify(source('index.ts'))}`, ...lines].join('\n')
  },
}

/** One of the other files: what belongs to the first comes from there. */
const asLazy = (file) => ({
  name: 'lazy',
  resolveId(id, importer) {
    if (importer === undefined || id === './index.js') return id === './index.js' ? { id, external: true } : null
    const path = join(dirname(importer), id)
    const owner = path === source(LAZY[file].entry) ? file : fileOf(path)
    if (owner === file) return null
    if (owner !== 'index.js') throw new Error(`${importer} imports ${id}, which belongs to ${owner}`)
    return CORE + path
  },
  load: (id) => {
    if (!id.startsWith(CORE)) return null
    const path = id.slice(CORE.length)
    const names = [...(sharedNames().get(path) ?? [])]
    return `export { ${names.map((name) => `${sharedAs(path, name)} as ${name}`).join(', ')} } from './index.js'`
  },
})

/** Public names of the lazy files: asked for, they load theirs. Written for ES5, after the exports. */
const lazyExports = `
exports._named(exports);
${Object.entries(LAZY)
  .filter(([, { names }]) => names.length > 0)
  .map(([file, { names }]) => `lazily("${names.join(' ')}", exports._lazy._${file.replace('.js', '')});`)
  .join('')}
function lazily(names, load) {
  names.split(" ").forEach(function (name) {
    Object.defineProperty(exports, name, { enumerable: true, get: function () { return load()[name]; } });
  });
}`

async function bundle(input, { plugins, injects, after = '' }) {
  const build = await rolldown({
    input,
    platform: 'neutral',
    resolve: { mainFields: ['module', 'main'], conditionNames: ['import', 'default'] },
    // `./extras.js` is beside the file that asks for it, wherever the source is that does.
    makeAbsoluteExternalsRelative: false,
    plugins,
    transform: injects
      ? {
          inject: Object.fromEntries(INJECTED.map((name) => [name, ['@teahouse/sdk', name]])),
          define: Object.fromEntries(ABSENT.map((name) => [name, 'undefined'])),
        }
      : {},
    treeshake: true,
    logLevel: 'silent',
  })
  const { output } = await build.generate({
    format: 'cjs',
    exports: 'named',
    codeSplitting: false,
    minify: false,
    generatedCode: { symbols: false },
  })
  await build.close()
  return withoutDynamicImport(output[0].code + after)
}

/**
 * What ES5 needs a function for, written for the language library of 2015 and for our own code: lists that are taken apart are arrays, objects
 * that are spread have no accessors. A third of the size of the general ones.
 */
const HELPERS = {
  _create_class: `function (made, members) {
    members && members.forEach(function (member) { member.configurable = true; Object.defineProperty(made.prototype, member.key, member); });
  }`,
  _define_property: 'function (target, key, value) { target[key] = value; return target; }',
  _extends: 'Object.assign',
  _inherits: `function (made, from) {
    made.prototype = Object.create(from.prototype, { constructor: { value: made, writable: true, configurable: true } });
    Object.setPrototypeOf(made, from);
  }`,
  _object_spread_props: 'Object.assign',
  _possible_constructor_return: 'function (self, made) { return made || self; }',
  _sliced_to_array: 'function (list) { return list; }',
}

/** Our own code with our own helpers; a helper that is not among them is an error. */
const withHelpers = (code) =>
  code.replace(/^(?:var|const) (\w+) = require\("@swc\/helpers\/_\/(\w+)"\);$/gm, (_, variable, name) => {
    if (!(name in HELPERS)) throw new Error(`${name}: the code needs a helper that is not there; write it otherwise`)
    return `var ${variable} = { _: ${HELPERS[name]} };`
  })

async function toEs5(code, assumptions, isOurs) {
  const { code: result } = await transform(code, {
    isModule: false,
    configFile: false,
    swcrc: false,
    // As for the oldest browsers, but every phone has symbols: `typeof` and `instanceof` need no helpers.
    env: { targets: { ie: '9' }, exclude: ['transform-typeof-symbol', 'transform-instanceof'] },
    jsc: { parser: { syntax: 'ecmascript' }, assumptions, externalHelpers: isOurs },
  })
  return isOurs ? withHelpers(result) : result
}

/** Our own private names are shortened first, alike in all files: the minifier leaves properties alone. */
async function mangled(code, cache) {
  const { code: result, mangleCache } = await mangle(code, {
    target: 'es5',
    mangleProps: /^_[a-zA-Z]/,
    // `_id` and `_openid` are names of documents.
    reserveProps: /^(__|_id$|_openid$)/,
    mangleCache: cache,
    legalComments: 'none',
  })
  Object.assign(cache, mangleCache)
  return result
}

async function minified(code) {
  const { code: result } = await minify(code, {
    compress: { passes: 3, toplevel: true, ecma: 5, unsafe_undefined: true },
    mangle: { toplevel: true },
    format: { comments: false, asciiOnly: true, ecma: 5 },
    ecma: 5,
    module: false,
  })
  return result
}

/** The files as text. */
export async function bundles({ supabase } = {}) {
  const resolve = createRequire(join(root, 'package.json')).resolve
  const entry = supabase ?? resolve('@supabase/supabase-js').replace(/index\.cjs$/, 'index.mjs')
  const cache = {}
  const ourFile = async (input, options) => {
    const code = await toEs5(await bundle(input, { injects: false, ...options }), ours, true)
    // One for the file is enough.
    return minified(`"use strict";${(await mangled(code, cache)).replace(/^\s*"use strict";$/gm, '')}`)
  }
  const files = {
    'index.js': await ourFile(ENTRY, { plugins: [asCore], after: lazyExports }),
  }
  for (const file of Object.keys(LAZY))
    files[file] = await ourFile(source(LAZY[file].entry), { plugins: [asLazy(file)] })
  for (const name of ['tus', 'cloud'])
    files[`${name}.js`] = await ourFile(source(`${name}.ts`), { plugins: [aliases(entry)] })
  const theirCode = await bundle(source('supabase.ts'), { plugins: [aliases(entry)], injects: true })
  return { ...files, 'supabase.js': await minified(await toEs5(theirCode, theirs, false)) }
}

/** Writes them. */
export async function buildSdk({ outDir = join(root, 'dist', 'miniprogram'), ...options } = {}) {
  const files = await bundles(options)
  await mkdir(outDir, { recursive: true })
  // The package is ESM, these files are CommonJS.
  const all = { ...files, 'package.json': `${JSON.stringify({ type: 'commonjs' })}\n` }
  for (const [name, text] of Object.entries(all)) {
    // Whoever reads the folder meanwhile sees a whole file, the old or the new one.
    const partial = join(outDir, `${name}.${process.pid}.part`)
    await writeFile(partial, text)
    await rename(partial, join(outDir, name))
  }
  return Object.fromEntries(Object.entries(files).map(([name, code]) => [name, code.length]))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sizes = await buildSdk()
  process.stderr.write(
    `${Object.entries(sizes)
      .map(([name, size]) => `${name} ${size} bytes`)
      .join(', ')}\n`,
  )
}
