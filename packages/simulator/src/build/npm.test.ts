/** "Build npm": where packages come from and how they look inside the mini-program. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { buildProject } from './build.ts'

/** A workspace whose project is in `app`, one level below the hoisted node_modules. */
async function build(files: Record<string, string>) {
  const root = mkdtempSync(join(tmpdir(), 'simulator-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  for (const [path, text] of Object.entries({ 'app/app.json': '{"pages":[]}', ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return buildProject(join(root, 'app'), { hideGlobals: false, views: true })
}

const manifest = (dependencies: Record<string, string>) => JSON.stringify({ dependencies })

test('a package with a miniprogram field is a folder; its plain dependencies are bundled beside it', async () => {
  const { modules, bundle } = await build({
    'app/package.json': manifest({ client: '1' }),
    'app/app.js': `const c = require('client')`,
    'node_modules/client/package.json': '{"miniprogram":"./dist/main","main":"web.js"}',
    'node_modules/client/dist/main/index.js': `exports.part = require('./lib/part')`,
    'node_modules/client/dist/main/lib/part.js': `module.exports = require('plain')`,
    'node_modules/plain/package.json': '{"main":"./main"}',
    'node_modules/plain/main.js': `exports.inner = require('./inner'); exports.other = require('other')`,
    'node_modules/plain/inner.js': `module.exports = 'inlined'`,
    'node_modules/other/package.json': '{"type":"module","exports":{"import":"./i.mjs","require":"./r.cjs"}}',
    'node_modules/other/r.cjs': `module.exports = 'other'`,
  })
  expect([...modules.keys()].sort()).toEqual([
    '/app.js',
    '/miniprogram_npm/client/index.js',
    '/miniprogram_npm/client/lib/part.js',
    '/miniprogram_npm/other/index.js',
    '/miniprogram_npm/plain/index.js',
  ])
  expect(modules.get('/miniprogram_npm/plain/index.js')).toContain('inlined')
  expect(bundle.problems).toEqual([])
})

test('a package that is not among the dependencies is not there', async () => {
  const { modules } = await build({
    'app/package.json': manifest({}),
    'app/app.js': `require('plain')`,
    'node_modules/plain/package.json': '{}',
    'node_modules/plain/index.js': '',
  })
  expect([...modules.keys()]).toEqual(['/app.js'])
})

test('two versions live side by side, and files of a package can be required', async () => {
  const { modules } = await build({
    'app/package.json': manifest({ a: '1', b: '2' }),
    'app/app.js': `require('b'); require('a'); require('b/sub/file')`,
    'node_modules/a/package.json': '{}',
    'node_modules/a/index.js': `require('b')`,
    'node_modules/a/node_modules/b/package.json': '{}',
    'node_modules/a/node_modules/b/index.js': `exports.version = 1`,
    'node_modules/b/package.json': '{}',
    'node_modules/b/index.js': 'exports.version = 2',
    'node_modules/b/sub/file.js': 'exports.file = 1',
  })
  expect(modules.get('/miniprogram_npm/b/index.js')).toContain('version = 2')
  expect(modules.get('/miniprogram_npm/a/miniprogram_npm/b/index.js')).toContain('version = 1')
  expect(modules.has('/miniprogram_npm/b/sub/file.js')).toBe(true)
})

test('what DevTools built is used as it is', async () => {
  const { modules } = await build({
    'app/package.json': manifest({ plain: '1' }),
    'app/app.js': `require('plain')`,
    'app/miniprogram_npm/plain/index.js': 'exports.from = "devtools"',
    'node_modules/plain/package.json': '{}',
    'node_modules/plain/index.js': 'exports.from = "npm"',
  })
  expect(modules.get('/miniprogram_npm/plain/index.js')).toContain('devtools')
})

test('components come from packages, and what is missing or broken is named', async () => {
  const { bundle } = await build({
    'app/package.json': manifest({ ui: '1' }),
    'app/app.json': '{"pages":["pages/a/a"],"usingComponents":{"u-button":"ui/button/index"}}',
    'app/pages/a/a.json': '{"usingComponents":{"x-none":"./none","p":"plugin://p/c"}}',
    'app/pages/a/a.wxml': '<u-button>{{a</u-button>',
    'app/pages/a/a.js': 'Page({',
    'node_modules/ui/package.json': '{"miniprogram":"dist"}',
    'node_modules/ui/dist/button/index.json': '{"component":true}',
    'node_modules/ui/dist/button/index.wxml': '<slot/>',
    'node_modules/ui/dist/button/index.js': 'Component({})',
  })
  expect(bundle.components['pages/a/a']?.usingComponents).toEqual({ 'u-button': '/miniprogram_npm/ui/button/index' })
  const errors = bundle.problems
    .filter(({ level }) => level === 'error')
    .map(({ file, message }) => `${file}: ${message}`)
  expect(errors).toContain('/pages/a/a.json: ["usingComponents"]: "./none" not found')
  expect(errors).toContain('/pages/a/a.json: "plugin://p/c": plugins are not supported')
  expect(errors.some((text) => text.startsWith('/pages/a/a.js: '))).toBe(true)
  expect(bundle.problems.some(({ file }) => file.startsWith('pages/a/a.wxml'))).toBe(true)
})
