/** WXSS: units, imports, selectors and scopes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { convertUnits } from '../wx/units.ts'
import { ProjectFiles } from './files.ts'
import { NpmMounts } from './npm.ts'
import { Problems } from './problems.ts'
import { rewriteSelector } from './selectors.ts'
import { compileWxss } from './wxss.ts'

const builtin = (tag: string) => tag === 'view' || tag === 'scroll-view'
const rewrite = (selector: string, scope: { prefix?: string; route?: string } = {}) =>
  rewriteSelector(selector, { prefix: scope.prefix ?? null, route: scope.route ?? null, builtin })

/** A folder with files, gone after the test. */
function project(files: Record<string, string>) {
  const root = mkdtempSync(join(tmpdir(), 'simulator-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const problems = new Problems()
  const compile = (path: string) =>
    compileWxss(new ProjectFiles(root, new NpmMounts(null, problems)), problems, { path, prefix: null, route: null })
  return { compile, problems }
}

test('rpx is a share of the screen, vh of the page, insets are the device’s', () => {
  expect(convertUnits('10rpx -.5rpx 3px')).toBe('calc(100vw * 10 / 750) calc(100vw * -.5 / 750) 3px')
  expect(convertUnits('calc(100vh - 20rpx)')).toBe('calc(calc(var(--sim-vh, 1vh) * 100) - calc(100vw * 20 / 750))')
  expect(convertUnits('env(safe-area-inset-bottom, 20px)')).toBe('var(--sim-safe-bottom, 0px)')
  expect(convertUnits('url(a10rpx.png) #10rpx')).toBe('url(a10rpx.png) #10rpx')
})

test('built-in tags and the page element get their names, others stay', () => {
  expect(rewrite('view > scroll-view.a text-x')).toBe('wx-view > wx-scroll-view.a text-x')
  expect(rewrite('page')).toBe('wx-page')
  expect(rewrite('#view::after')).toBe('#view::after')
  expect(rewrite('.view:nth-child(2n+1):not(view)[data-x="view .a"]')).toBe(
    '.view:nth-child(2n+1):not(wx-view)[data-x="view .a"]',
  )
})

test('an isolated component has classes of its own and a host', () => {
  expect(rewrite('.a.b > view .c:not(.d)', { prefix: 'card' })).toBe(
    '.card--a.card--b > wx-view .card--c:not(.card--d)',
  )
  expect(rewrite(':host(.a) .b', { prefix: 'card' })).toBe('[wx-host="card"].a .card--b')
  expect(rewrite(':host', { prefix: 'card' })).toBe('[wx-host="card"]')
})

test('a page’s sheet reaches only that page and weighs no more', () => {
  expect(rewrite('.a view', { route: 'pages/a' })).toBe(':where([is="pages/a"]) .a wx-view')
  expect(rewrite('page .a', { route: 'pages/a' })).toBe('wx-page:where([is="pages/a"]) .a')
})

test('imports are put in place, once in a circle; what is missing is a problem', () => {
  const { compile, problems } = project({
    'app.wxss': '@import "./a/b.wxss";\n.app { width: 1rpx }',
    'a/b.wxss': '@import "../app.wxss"; @import "c";\n.b {}\n@import "/none.wxss";',
    'a/c.wxss': '@media (min-width: 1px) { view, .c { top: 1vh } } @keyframes k { from { left: 0 } }',
  })
  const css = compile('/app.wxss').replace(/\s+/g, ' ')
  expect(css).toContain('@media (min-width: 1px) { wx-view, .c { top: calc(var(--sim-vh, 1vh) * 1) } }')
  expect(css).toContain('@keyframes k { from { left: 0 } }')
  expect(css.match(/\.app/g)).toHaveLength(1)
  expect(problems.list).toEqual([
    { level: 'error', file: '/a/b.wxss', message: 'path `/none.wxss` not found in @import' },
  ])
})
