/** Builds a project into a bundle: starts at app.js, the pages and their components, and follows what they use. */
import type { Bundle, ComponentConfig, StyleSheet } from '../framework/bundle.ts'
import { type AppJson, openProject, type Project, pagesOf, type RawComponentJson, readJson } from './project.ts'
import { compileScript } from './script.ts'
import { TemplateSet } from './wxml.ts'
import { compileWxss } from './wxss.ts'

export interface BuildOptions {
  /** Scripts for a page, where the browser's own globals must be hidden. */
  readonly hideGlobals: boolean
  /** Templates and styles too; a Node realm does without. */
  readonly views: boolean
}

export interface BuildResult {
  readonly project: Project
  readonly bundle: Bundle
  /** CommonJS by path. */
  readonly modules: ReadonlyMap<string, string>
  /** The templates as a JavaScript expression. */
  readonly templates: string
}

/** Builds the project in a folder. Problems do not stop it; they are in the bundle. */
export async function buildProject(folder: string, options: BuildOptions): Promise<BuildResult> {
  return new Builder(openProject(folder), options).run()
}

/** Compiles scripts and what they require, starting anywhere. */
export async function collectScripts(
  project: Pick<Project, 'files' | 'problems'>,
  entries: readonly string[],
  hideGlobals: boolean,
): Promise<Map<string, string>> {
  const modules = new Map<string, string>()
  const waiting = [...entries]
  const seen = new Set<string>()
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue
    seen.add(path)
    const source = await project.files.script(path)
    if (!source) continue
    try {
      const script = await compileScript(source.code, { path, typescript: source.typescript, hideGlobals })
      modules.set(path, script.code)
      for (const request of script.requests) {
        const target = project.files.resolveScript(path, request)
        if (target && target !== path) waiting.push(target)
      }
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      project.problems.error(path, message)
      modules.set(path, `throw new SyntaxError(${JSON.stringify(`${path}: ${message}`)})`)
    }
  }
  return modules
}

class Builder {
  readonly #project: Project
  readonly #options: BuildOptions
  readonly #components = new Map<string, ComponentConfig>()
  readonly #global: Record<string, string>
  readonly #pages: readonly string[]

  constructor(project: Project, options: BuildOptions) {
    this.#project = project
    this.#options = options
    this.#pages = pagesOf(project.appJson)
    this.#global = this.#resolveUsing('/app.json', project.appJson.usingComponents ?? {})
  }

  async run(): Promise<BuildResult> {
    const { files, problems } = this.#project
    for (const page of this.#pages) this.#addComponent(page, true)
    const scripts = [...this.#components.keys()].map((path) => `/${path}.js`)
    for (const script of scripts) if (!files.exists(script)) problems.error(script, 'file not found')
    const modules = await collectScripts(this.#project, ['/app.js', ...scripts], this.#options.hideGlobals)
    const templates = new TemplateSet(files, problems)
    if (this.#options.views) for (const path of this.#components.keys()) templates.add(path)
    const styles = this.#options.views ? this.#styles() : {}
    return { project: this.#project, modules, templates: templates.code(), bundle: this.#bundle(styles) }
  }

  #bundle(styles: Record<string, StyleSheet>): Bundle {
    const app: Partial<AppJson> = this.#project.appJson
    return {
      appId: this.#project.appId,
      projectName: this.#project.name,
      pages: this.#pages,
      entryPage: app.entryPagePath ?? this.#pages[0] ?? '',
      window: app.window ?? {},
      tabBar: app.tabBar ?? null,
      networkTimeout: app.networkTimeout ?? {},
      style: app.style ?? '',
      components: Object.fromEntries(this.#components),
      styles,
      problems: this.#project.problems.list,
    }
  }

  #addComponent(path: string, isPage: boolean): void {
    if (this.#components.has(path)) return
    const file = `/${path}.json`
    const raw = readJson<RawComponentJson>(this.#project.files.text(file), file, this.#project.problems)
    const own = this.#resolveUsing(file, raw.usingComponents ?? {})
    const { component, ...rest } = raw
    this.#components.set(path, {
      ...rest,
      // A page is a page whatever its JSON says: its styles are shared.
      ...(isPage || component !== true ? {} : { component }),
      usingComponents: { ...this.#global, ...own },
      ...(raw.componentGenerics ? { componentGenerics: this.#resolveGenerics(file, raw.componentGenerics) } : {}),
    })
    for (const target of Object.values(own)) this.#addComponent(target.slice(1), false)
    for (const target of Object.values(this.#global)) this.#addComponent(target.slice(1), false)
    for (const generic of Object.values(this.#components.get(path)?.componentGenerics ?? {}))
      if (generic !== true && generic.default) this.#addComponent(generic.default.slice(1), false)
  }

  #resolveUsing(from: string, using: Readonly<Record<string, string>>): Record<string, string> {
    const result: Record<string, string> = {}
    for (const [name, request] of Object.entries(using)) {
      const target = this.#resolveComponent(from, request)
      if (target) result[name] = target
    }
    return result
  }

  #resolveGenerics(from: string, generics: NonNullable<ComponentConfig['componentGenerics']>) {
    return Object.fromEntries(
      Object.entries(generics).map(([name, value]) => {
        const target = value !== true && value.default ? this.#resolveComponent(from, value.default) : null
        return [name, target ? { default: target } : (true as const)]
      }),
    )
  }

  /** The absolute path of a component without extension, or null with a problem noted. */
  #resolveComponent(from: string, request: string): string | null {
    const { files, problems } = this.#project
    if (/^(dynamicLib|plugin|plugin-private|ext):/.test(request)) {
      problems.error(from, `"${request}": plugins are not supported`)
      return null
    }
    const found = files.resolveAsset(from, request, ['.json', '/index.json', '.wxml'])
    if (!found) problems.error(from, `["usingComponents"]: "${request}" not found`)
    return found ? found.replace(/\.(json|wxml)$/, '') : null
  }

  #styles(): Record<string, StyleSheet> {
    const { files, problems } = this.#project
    const sheets: Record<string, StyleSheet> = {}
    if (files.exists('/app.wxss'))
      sheets.app = {
        css: compileWxss(files, problems, { path: '/app.wxss', prefix: null, route: null }),
        scope: null,
      }
    for (const [path, config] of this.#components) {
      const route = this.#pages.includes(path) ? path : null
      const prefix = route === null && isolated(config) ? path.replace(/\W+/g, '-') : null
      const file = `/${path}.wxss`
      if (files.exists(file))
        sheets[path] = { css: compileWxss(files, problems, { path: file, prefix, route }), scope: prefix }
      else if (prefix !== null) sheets[path] = { css: '', scope: prefix }
    }
    return sheets
  }
}

/** Whether a component's classes are its own. */
const isolated = (config: ComponentConfig) =>
  config.component === true && config.styleIsolation !== 'shared' && config.styleIsolation !== 'page-shared'
