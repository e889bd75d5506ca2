/** The files of a project by their mini-program paths: the project's own, and npm packages as if built by DevTools. */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { candidates, directoryOf, joinPath } from '../framework/loader.ts'
import type { NpmMounts } from './npm.ts'

const isFile = (path: string) => existsSync(path) && statSync(path).isFile()

export class ProjectFiles {
  readonly root: string
  readonly #npm: NpmMounts

  constructor(root: string, npm: NpmMounts) {
    this.root = root
    this.#npm = npm
  }

  /** The real file behind a path; TypeScript stands in for JavaScript. */
  locate(path: string): string | null {
    const own = join(this.root, path)
    if (isFile(own)) return own
    if (path.endsWith('.js') && isFile(`${own.slice(0, -3)}.ts`)) return `${own.slice(0, -3)}.ts`
    return this.#npm.locate(path)
  }

  exists(path: string): boolean {
    return this.locate(path) !== null || this.#npm.hasGenerated(path)
  }

  text(path: string): string | null {
    const file = this.locate(path)
    return file ? readFileSync(file, 'utf8') : null
  }

  /** The source of a script and the language it is in. */
  async script(path: string): Promise<{ code: string; typescript: boolean } | null> {
    const file = this.locate(path)
    if (file) return { code: readFileSync(file, 'utf8'), typescript: file.endsWith('.ts') }
    const code = await this.#npm.generated(path)
    return code === null ? null : { code, typescript: false }
  }

  /** The script a require means. */
  resolveScript(from: string, request: string): string | null {
    if (!/^[./]/.test(request)) this.#npm.ensure(from, request)
    return candidates(from, request).find((path) => this.exists(path)) ?? null
  }

  /** A file named by a path or by an npm package path, with one of the extensions. */
  resolveAsset(from: string, request: string, extensions: readonly string[]): string | null {
    const bases = [joinPath(directoryOf(from), request)]
    if (!/^[./]/.test(request)) {
      const mount = this.#npm.ensure(from, request)
      if (mount) bases.push(joinPath(directoryOf(mount), request.startsWith('@') ? `../${request}` : request))
      bases.push(joinPath('/miniprogram_npm', request))
    }
    const paths = bases.flatMap((base) => [...extensions.map((extension) => `${base}${extension}`), base])
    return paths.find((path) => this.locate(path) !== null) ?? null
  }
}
