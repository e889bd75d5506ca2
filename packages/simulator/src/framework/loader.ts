/** The module system of a mini-program: CommonJS by path, npm packages from `miniprogram_npm` folders. */

export interface ModuleRecord {
  exports: unknown
}

export type Require = (request: string) => unknown

/** Where the code of modules comes from. */
export interface ModuleSource {
  has(path: string): boolean
  run(path: string, require: Require, module: ModuleRecord): void
}

/** `/a/b` and `../c` make `/a/c`. */
export function joinPath(directory: string, path: string): string {
  const parts: string[] = []
  for (const part of (path.startsWith('/') ? path : `${directory}/${path}`).split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') parts.pop()
    else parts.push(part)
  }
  return `/${parts.join('/')}`
}

export const directoryOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

/** The paths a request may mean, best first. */
export function candidates(from: string, request: string): string[] {
  const directory = directoryOf(from)
  const bases: string[] = []
  if (request.startsWith('/') || request.startsWith('.')) bases.push(joinPath(directory, request))
  else {
    for (let at = directory; ; at = directoryOf(at)) {
      bases.push(joinPath(at, `miniprogram_npm/${request}`))
      if (at === '') break
    }
    bases.push(joinPath(directory, request))
  }
  return bases.flatMap((base) => [...(base.endsWith('.js') ? [base] : []), `${base}.js`, `${base}/index.js`])
}

export class Loader {
  readonly #source: ModuleSource
  readonly #loaded = new Map<string, ModuleRecord>()

  constructor(source: ModuleSource) {
    this.#source = source
  }

  resolve(from: string, request: string): string | null {
    return candidates(from, request).find((path) => this.#source.has(path)) ?? null
  }

  /** Runs a module once and returns its exports; a module that is still running gives what it has so far. */
  load(path: string): unknown {
    const known = this.#loaded.get(path)
    if (known) return known.exports
    const module: ModuleRecord = { exports: {} }
    this.#loaded.set(path, module)
    try {
      this.#source.run(path, this.requireFrom(path), module)
    } catch (error) {
      this.#loaded.delete(path)
      throw error
    }
    return module.exports
  }

  requireFrom(from: string): Require {
    const require = (request: string): unknown => {
      const path = typeof request === 'string' ? this.resolve(from, request) : null
      if (path === null) {
        const meant = typeof request === 'string' ? joinPath(directoryOf(from), request).slice(1) : String(request)
        throw new Error(`module '${meant.replace(/(\.js)?$/, '.js')}' is not defined, require args is '${request}'`)
      }
      return this.load(path)
    }
    return Object.assign(require, { async: (request: string) => Promise.resolve().then(() => require(request)) })
  }
}
