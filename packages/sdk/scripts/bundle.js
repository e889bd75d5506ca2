/** Builds what ships: the adapter and supabase-js on top of it, one CommonJS file each, ES5, minified, in the folder that WeChat copies. */
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transform as es5 } from '@swc/core'
import { transform as minify } from 'esbuild'
import { rolldown } from 'rolldown'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = (name) => join(root, 'src', name)

/** Sizes that a test holds the files to, bytes. */
export const budgets = { 'index.js': 25 * 1024, 'supabase.js': 320 * 1024 }

/**
 * Classes as plain functions and loops as plain loops: the assumptions hold for our own code, which iterates arrays only, and
 * were checked for supabase-js by running it (conformance/sdk).
 */
const ours = {
  iterableIsArray: true,
  ignoreFunctionLength: true,
  ignoreFunctionName: true,
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
  'navigator',
  'process',
  'Buffer',
  'WebSocket',
  'localStorage',
  'BroadcastChannel',
  'crypto',
]

/** Modules that are loaded on demand and only for tracing: a mini-program has no dynamic import. */
const STUBBED = /^@opentelemetry\/api$/

const aliases = (supabase) => ({
  name: 'aliases',
  resolveId(id, importer) {
    if (STUBBED.test(id)) return { id: '\0stub' }
    // The second file asks the first for everything that runs.
    if (id === '@teahouse/sdk' || (id === './index.ts' && importer !== undefined))
      return { id: './index.js', external: true }
    if (id === '@supabase/supabase-js') return supabase
    return null
  },
  load: (id) => (id === '\0stub' ? 'export {}' : null),
})

async function bundle(input, { supabase, isAdapter }) {
  const build = await rolldown({
    input,
    platform: 'neutral',
    resolve: { mainFields: ['module', 'main'], conditionNames: ['import', 'default'] },
    plugins: [aliases(supabase)],
    transform: isAdapter
      ? {}
      : {
          inject: Object.fromEntries(INJECTED.map((name) => [name, ['@teahouse/sdk', name]])),
          define: Object.fromEntries(ABSENT.map((name) => [name, 'undefined'])),
        },
    treeshake: true,
    logLevel: 'silent',
  })
  const { output } = await build.generate({ format: 'cjs', exports: 'named', codeSplitting: false, minify: false })
  await build.close()
  return output[0].code
}

async function toEs5(code, assumptions) {
  const { code: result } = await es5(code, {
    isModule: false,
    configFile: false,
    swcrc: false,
    jsc: { target: 'es5', parser: { syntax: 'ecmascript' }, assumptions, externalHelpers: false, loose: false },
  })
  return result
}

/** Private names are mangled in our own code only. */
async function minified(code, isAdapter) {
  const { code: result } = await minify(code, {
    minify: true,
    // Says that the top level is a module's: its names may be shortened.
    format: 'cjs',
    target: 'es5',
    charset: 'ascii',
    legalComments: 'none',
    ...(isAdapter ? { mangleProps: /^_[a-z]/, reserveProps: /^__/ } : {}),
  })
  return result
}

/** The two files as text. */
export async function bundles({ supabase } = {}) {
  const resolve = createRequire(join(root, 'package.json')).resolve
  const entry = supabase ?? resolve('@supabase/supabase-js').replace(/index\.cjs$/, 'index.mjs')
  const make = async (name, isAdapter) => {
    const code = await bundle(source(name), { supabase: entry, isAdapter })
    return minified(await toEs5(code, isAdapter ? ours : theirs), isAdapter)
  }
  return { 'index.js': await make('index.ts', true), 'supabase.js': await make('supabase.ts', false) }
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
