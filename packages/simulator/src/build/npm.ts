/** "Build npm": finds packages in node_modules and makes them look like folders of `miniprogram_npm`, on demand. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { build } from 'esbuild'
import type { Problems } from './problems.ts'

interface PackageJson {
  readonly name?: string
  readonly main?: string
  readonly module?: string
  readonly miniprogram?: string
  readonly exports?: unknown
  readonly dependencies?: Readonly<Record<string, string>>
}

interface Mount {
  readonly packageDir: string
  /** The folder copied as it is, for packages made for mini-programs; else the entry is bundled. */
  readonly folder: string | null
  readonly manifest: PackageJson
}

const readManifest = (dir: string): PackageJson | null => {
  const path = join(dir, 'package.json')
  // A package.json is JSON by definition; only the fields above are read, each checked where used.
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as PackageJson) : null
}

/** `@scope/name/rest` in its package name and the rest. */
export function splitRequest(request: string): { name: string; rest: string } {
  const parts = request.split('/')
  const size = request.startsWith('@') ? 2 : 1
  return { name: parts.slice(0, size).join('/'), rest: parts.slice(size).join('/') }
}

/** The folder of a package, looking in node_modules of this folder and every folder above. */
export function findPackage(from: string, name: string): string | null {
  for (let at = resolve(from); ; at = dirname(at)) {
    const candidate = join(at, 'node_modules', name)
    if (existsSync(join(candidate, 'package.json'))) return candidate
    if (dirname(at) === at) return null
  }
}

const isFile = (path: string) => existsSync(path) && statSync(path).isFile()

/** The entry of a plain package: `main`, as DevTools takes it, else the `require` export. */
function entryOf(dir: string, manifest: PackageJson): string | null {
  const exported = (value: unknown): string | null => {
    if (typeof value === 'string') return value
    if (typeof value !== 'object' || value === null) return null
    const branches = value as Readonly<Record<string, unknown>>
    return exported(branches['.'] ?? branches.require ?? branches.default ?? branches.import)
  }
  const named = manifest.main ?? exported(manifest.exports) ?? manifest.module ?? 'index.js'
  const base = join(dir, named)
  return [base, `${base}.js`, join(base, 'index.js')].find(isFile) ?? null
}

export class NpmMounts {
  readonly #problems: Problems
  readonly #manifestDir: string | null
  readonly #anyPackage: boolean
  readonly #mounts = new Map<string, Mount>()
  readonly #built = new Map<string, string>()

  /** `manifestDir` holds the project's package.json: only its dependencies, and theirs, are available, unless any package is. */
  constructor(
    manifestDir: string | null,
    problems: Problems,
    options: { anyPackage: boolean } = { anyPackage: false },
  ) {
    this.#manifestDir = manifestDir
    this.#anyPackage = options.anyPackage
    this.#problems = problems
  }

  /** Makes a package available to a file; returns the mount path, or null when there is no such package. */
  ensure(from: string, request: string): string | null {
    const { name } = splitRequest(request)
    const owner = this.#ownerOf(from)
    const dir = this.#find(owner?.mount.packageDir ?? null, name)
    if (!dir) return null
    const top = `/miniprogram_npm/${name}`
    const path = (this.#mounts.get(top)?.packageDir ?? dir) === dir ? top : `${owner?.path ?? ''}${top}`
    if (!this.#mounts.has(path)) this.#mount(path, dir)
    return path
  }

  /** The real file behind a path of `miniprogram_npm`, or null. Bundled code is not a file: see `generated`. */
  locate(path: string): string | null {
    const [mount, rest] = this.#split(path) ?? []
    if (!mount?.folder || !rest) return null
    const file = join(mount.folder, rest)
    return isFile(file) ? file : null
  }

  hasGenerated(path: string): boolean {
    return this.#generatedEntry(path) !== null
  }

  /** The bundled code of a plain package's entry or of one of its files. */
  async generated(path: string): Promise<string | null> {
    const known = this.#built.get(path)
    if (known !== undefined) return known
    const entry = this.#generatedEntry(path)
    if (!entry) return null
    const code = await this.#bundle(entry, path)
    this.#built.set(path, code)
    return code
  }

  #find(ownerDir: string | null, name: string): string | null {
    if (ownerDir) return findPackage(ownerDir, name)
    if (!this.#manifestDir) return null
    const dependencies = readManifest(this.#manifestDir)?.dependencies ?? {}
    return this.#anyPackage || name in dependencies ? findPackage(this.#manifestDir, name) : null
  }

  #mount(path: string, packageDir: string): void {
    const manifest = readManifest(packageDir) ?? {}
    const named = typeof manifest.miniprogram === 'string' ? manifest.miniprogram : 'miniprogram_dist'
    const folder = join(packageDir, named)
    this.#mounts.set(path, { packageDir, manifest, folder: existsSync(folder) ? folder : null })
  }

  #split(path: string): [Mount, string] | null {
    const owner = this.#ownerOf(path)
    return owner ? [owner.mount, path.slice(owner.path.length + 1)] : null
  }

  /** The innermost package a path is in: a package may bring a `miniprogram_npm` folder of its own. */
  #ownerOf(path: string): { path: string; mount: Mount } | null {
    let found: { path: string; mount: Mount } | null = null
    for (const [at, mount] of this.#mounts)
      if (path.startsWith(`${at}/`) && at.length > (found?.path.length ?? 0)) found = { path: at, mount }
    return found
  }

  #generatedEntry(path: string): string | null {
    const [mount, rest] = this.#split(path) ?? []
    if (!mount || mount.folder || !rest) return null
    if (rest === 'index.js') return entryOf(mount.packageDir, mount.manifest)
    const file = join(mount.packageDir, rest)
    return isFile(file) ? file : null
  }

  async #bundle(entry: string, path: string): Promise<string> {
    try {
      const result = await build({
        entryPoints: [entry],
        bundle: true,
        write: false,
        format: 'cjs',
        platform: 'neutral',
        mainFields: ['main', 'module'],
        conditions: ['require', 'default'],
        packages: 'external',
        target: 'es2022',
        logLevel: 'silent',
      })
      return result.outputFiles[0]?.text ?? ''
    } catch (error) {
      this.#problems.error(
        path,
        `npm package cannot be built: ${error instanceof Error ? error.message : String(error)}`,
      )
      return `throw new Error(${JSON.stringify(`${path} could not be built`)})`
    }
  }
}
