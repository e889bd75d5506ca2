/** WXSS to CSS: @import inlined, rpx and vh measured by the simulated phone, selectors scoped. */
import postcss, { type AtRule, type Root, type Rule } from 'postcss'
import { COMPONENTS } from '../wx/create.ts'
import { convertUnits } from '../wx/units.ts'
import type { ProjectFiles } from './files.ts'
import type { Problems } from './problems.ts'
import { rewriteSelector } from './selectors.ts'

export interface WxssOptions {
  readonly path: string
  readonly prefix: string | null
  readonly route: string | null
}

interface Work extends WxssOptions {
  readonly files: ProjectFiles
  readonly problems: Problems
}

/** Compiles a sheet and everything it imports. */
export function compileWxss(files: ProjectFiles, problems: Problems, options: WxssOptions): string {
  const root = load({ ...options, files, problems }, options.path, [])
  root.walkRules((rule) => scopeRule(rule, options))
  root.walkDecls((declaration) => {
    declaration.value = convertUnits(declaration.value)
  })
  return root.toString()
}

function load(work: Work, path: string, ancestors: readonly string[]): Root {
  const text = work.files.text(path)
  let root: Root
  try {
    root = postcss.parse(text ?? '', { from: path })
  } catch (error) {
    work.problems.error(path, error instanceof Error ? error.message : String(error))
    return postcss.root()
  }
  root.walkAtRules('import', (rule) => inline(work, path, rule, ancestors))
  return root
}

function inline(work: Work, from: string, rule: AtRule, ancestors: readonly string[]): void {
  const request = /^(?:url\(\s*)?["']?([^"')]+)["']?\s*\)?/.exec(rule.params)?.[1] ?? ''
  if (/^https?:/.test(request)) return
  const target = work.files.resolveAsset(from, request, ['', '.wxss'])
  if (!target) {
    work.problems.error(from, `path \`${request}\` not found in @import`)
    rule.remove()
  } else if (target === from || ancestors.includes(target)) rule.remove()
  else rule.replaceWith(load(work, target, [...ancestors, from]).nodes)
}

const builtin = (tag: string) => COMPONENTS.has(tag)

function scopeRule(rule: Rule, options: WxssOptions): void {
  const parent = rule.parent
  if (parent?.type === 'atrule' && /keyframes$/i.test((parent as AtRule).name)) return
  // Nested rules are relative to a parent that is limited already.
  const nested = parent?.type === 'rule'
  const scope = { prefix: options.prefix, route: nested ? null : options.route, builtin }
  rule.selectors = rule.selectors.map((selector) => rewriteSelector(selector, scope))
}
