/** WXML and WXS: templates with everything they import and include, compiled into one script. */
import compiler from 'glass-easel-template-compiler'
import { directoryOf, joinPath } from '../framework/loader.ts'
import type { ProjectFiles } from './files.ts'
import type { Problems } from './problems.ts'

const withoutSlash = (path: string) => path.replace(/^\//, '')

/**
 * In WXS `x.constructor` is the name of the type as a string. The property is renamed, and the runtime gives every value
 * a getter of that name.
 */
const renameConstructor = (source: string) => source.replace(/\.\s*constructor\b/g, '.$wxsType')

interface Warning {
  readonly message?: unknown
  readonly level?: unknown
  readonly startLine?: unknown
}

export class TemplateSet {
  readonly #files: ProjectFiles
  readonly #problems: Problems
  readonly #group = new compiler.TmplGroup()
  readonly #known = new Set<string>()

  constructor(files: ProjectFiles, problems: Problems) {
    this.#files = files
    this.#problems = problems
  }

  /** Adds a template by its path without extension, and what it needs. */
  add(path: string): void {
    if (this.#known.has(path)) return
    this.#known.add(path)
    const source = this.#files.text(`/${path}.wxml`)
    if (source === null) {
      this.#problems.error(`${path}.wxml`, 'file not found')
      return
    }
    // The compiler types its warnings as any; only printable fields are read.
    const warnings: unknown = this.#group.addTmpl(path, source)
    for (const warning of Array.isArray(warnings) ? (warnings as Warning[]) : []) this.#warn(path, warning)
    for (const name of this.#group.getInlineScriptModuleNames(path) as string[]) {
      const script = this.#group.getInlineScript(path, name)
      this.#group.setInlineScript(path, name, renameConstructor(script))
      this.#requires(`/${path}`, script)
    }
    for (const dependency of this.#group.getDirectDependencies(path) as string[]) this.add(withoutSlash(dependency))
    for (const script of this.#group.getScriptDependencies(path) as string[])
      this.#addScript(withoutSlash(script), path)
  }

  /** A JavaScript expression: an object of templates by path. */
  code(): string {
    return this.#group.getTmplGenObjectGroups()
  }

  #warn(path: string, warning: Warning): void {
    const line = typeof warning.startLine === 'number' ? `:${warning.startLine + 1}` : ''
    this.#problems.warning(`${path}.wxml${line}`, String(warning.message ?? warning))
  }

  #addScript(path: string, from: string): void {
    const base = path.replace(/\.wxs$/, '')
    if (this.#known.has(`wxs:${base}`)) return
    this.#known.add(`wxs:${base}`)
    const source = this.#files.text(`/${base}.wxs`)
    if (source === null) {
      this.#problems.error(`${from}.wxml`, `wxs "${path}" not found`)
      return
    }
    // A template names a script without its extension, require() inside WXS with it: both must be known.
    for (const name of [base, `${base}.wxs`]) this.#group.addScript(name, renameConstructor(source))
    this.#requires(`/${base}`, source)
  }

  #requires(from: string, source: string): void {
    for (const match of source.matchAll(/\brequire\(\s*["']([^"']+)["']\s*\)/g))
      this.#addScript(joinPath(directoryOf(from), match[1] ?? '').slice(1), from.slice(1))
  }
}
