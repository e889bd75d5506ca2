/** The files of the simulated phone: user data (kept), saved files (kept), temporary files (not kept), and the read-only code package. */
import type { Phone } from './phone.ts'

/** Where the app may write. */
export const USER_DATA_PATH = 'http://usr'
const TEMP_ROOT = 'http://tmp'
const STORE_ROOT = 'http://store'

/** A refusal of the file system, in the platform's words. */
export class FileRefusal extends Error {}

const refuse = (reason: string): never => {
  throw new FileRefusal(reason)
}

export interface FileStat {
  readonly mode: number
  readonly size: number
  readonly lastAccessedTime: number
  readonly lastModifiedTime: number
  readonly directory: boolean
}

interface FileEntry {
  bytes: Uint8Array
  modified: number
}

/** The path without a trailing slash, doubled slashes and `.`/`..` parts; `wxfile://` is the phones' spelling of the same places. */
export function normalizePath(path: string): string {
  const alias = path.replace(/^wxfile:\/\/(usr|tmp|store)(?=[/_]|$)/, 'http://$1')
  const scheme = /^http:\/\/(usr|tmp|store)(?=\/|$)/.exec(alias)?.[0] ?? ''
  const parts: string[] = []
  for (const part of alias.slice(scheme.length).split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') parts.pop()
    else parts.push(part)
  }
  return `${scheme}${parts.length > 0 ? `/${parts.join('/')}` : ''}`
}

const parentOf = (path: string) => path.slice(0, path.lastIndexOf('/'))
const inUserData = (path: string) => path === USER_DATA_PATH || path.startsWith(`${USER_DATA_PATH}/`)
const isLocal = (path: string) => /^http:\/\/(usr|tmp|store)(\/|$)/.test(path)
const isKept = (path: string) => inUserData(path) || path.startsWith(STORE_ROOT)

export class VirtualFiles {
  readonly #phone: Phone
  readonly #files = new Map<string, FileEntry>()
  readonly #directories = new Set<string>([USER_DATA_PATH, TEMP_ROOT, STORE_ROOT])
  #nextName = 1

  constructor(phone: Phone) {
    this.#phone = phone
    for (const [path, bytes] of phone.host.persistence.loadFiles()) {
      if (path.endsWith('/')) this.#directories.add(path.slice(0, -1))
      else this.#files.set(path, { bytes: new Uint8Array(bytes), modified: phone.clock.now() })
    }
  }

  /** The bytes of a file anywhere; the code package included. */
  read(raw: string): Uint8Array {
    const path = normalizePath(raw)
    const entry = this.#files.get(path)
    if (entry) return entry.bytes
    if (this.#directories.has(path)) return refuse(`illegal operation on a directory, open "${raw}"`)
    const packaged = isLocal(path) ? null : this.#phone.host.persistence.packageFile(path)
    return packaged ? new Uint8Array(packaged) : refuse(`no such file or directory, open "${raw}"`)
  }

  exists(raw: string): boolean {
    const path = normalizePath(raw)
    if (this.#files.has(path) || this.#directories.has(path)) return true
    return !isLocal(path) && this.#phone.host.persistence.packageFile(path) !== null
  }

  write(raw: string, bytes: Uint8Array, verb = 'open'): void {
    const path = this.#writable(raw, verb)
    if (this.#directories.has(path)) refuse(`illegal operation on a directory, ${verb} "${raw}"`)
    this.#needParent(path, raw, verb)
    this.#keepQuota(path, bytes.length)
    this.#put(path, bytes)
  }

  append(raw: string, bytes: Uint8Array): void {
    const path = normalizePath(raw)
    const before = this.#files.get(path)?.bytes ?? refuse(`no such file or directory, open "${raw}"`)
    const joined = new Uint8Array(before.length + bytes.length)
    joined.set(before)
    joined.set(bytes, before.length)
    this.write(raw, joined)
  }

  remove(raw: string): void {
    const path = this.#writable(raw, 'unlink', true)
    if (this.#directories.has(path)) refuse(`operation not permitted, unlink "${raw}"`)
    if (!this.#files.delete(path)) refuse(`no such file or directory, unlink "${raw}"`)
    this.#save(path, null)
  }

  rename(rawFrom: string, rawTo: string): void {
    const from = normalizePath(rawFrom)
    const entry = this.#files.get(from) ?? refuse(`no such file or directory, rename "${rawFrom}" -> "${rawTo}"`)
    this.write(rawTo, entry.bytes, 'rename')
    this.#files.delete(from)
    this.#save(from, null)
  }

  makeDirectory(raw: string, recursive: boolean): void {
    const path = this.#writable(raw, 'mkdir')
    if (this.#directories.has(path) || this.#files.has(path)) {
      if (recursive && this.#directories.has(path)) return
      refuse(`file already exists, mkdir "${raw}"`)
    }
    if (recursive) {
      const parent = parentOf(path)
      if (!this.#directories.has(parent)) this.makeDirectory(parent, true)
    } else this.#needParent(path, raw, 'mkdir')
    this.#directories.add(path)
    this.#phone.host.persistence.saveFile(`${path}/`, new Uint8Array())
  }

  removeDirectory(raw: string, recursive: boolean): void {
    const path = this.#writable(raw, 'rmdir')
    if (!this.#directories.has(path)) refuse(`no such file or directory, rmdir "${raw}"`)
    const inside = (candidate: string) => candidate.startsWith(`${path}/`)
    const files = [...this.#files.keys()].filter(inside)
    const directories = [...this.#directories].filter(inside)
    if (!recursive && files.length + directories.length > 0) refuse(`directory not empty, rmdir "${raw}"`)
    for (const file of files) {
      this.#files.delete(file)
      this.#save(file, null)
    }
    for (const directory of [...directories, path]) {
      this.#directories.delete(directory)
      this.#save(`${directory}/`, null)
    }
  }

  list(raw: string): string[] {
    const path = normalizePath(raw)
    if (!this.#directories.has(path)) return refuse(`no such file or directory, scandir "${raw}"`)
    return [...this.#files.keys(), ...this.#directories]
      .filter((candidate) => parentOf(candidate) === path)
      .map((candidate) => candidate.slice(path.length + 1))
      .sort()
  }

  stat(raw: string): FileStat {
    const path = normalizePath(raw)
    const directory = this.#directories.has(path)
    const size = directory ? 0 : this.#sizeFor(path, raw)
    const time = Math.floor((this.#files.get(path)?.modified ?? 0) / 1000)
    return { mode: directory ? 16877 : 33206, size, lastAccessedTime: time, lastModifiedTime: time, directory }
  }

  /** Everything below a directory, itself included, with paths relative to it. */
  statTree(raw: string): { path: string; stats: FileStat }[] {
    const root = normalizePath(raw)
    const below = [...this.#files.keys(), ...this.#directories].filter((path) => path.startsWith(`${root}/`)).sort()
    return [
      { path: '/', stats: this.stat(raw) },
      ...below.map((path) => ({ path: path.slice(root.length), stats: this.stat(path) })),
    ]
  }

  /** Keeps bytes under a new temporary name; the name says nothing but the extension. */
  addTemporary(bytes: Uint8Array, extension: string): string {
    const path = `${TEMP_ROOT}/${this.#freshName()}${extension ? `.${extension}` : ''}`
    this.#put(path, bytes)
    return path
  }

  /** Moves a temporary file to where it is kept. */
  saveTemporary(raw: string, target: string | null): string {
    const from = normalizePath(raw)
    if (!from.startsWith(`${TEMP_ROOT}/`)) refuse(`tempFilePath file not exist`)
    const bytes = this.#files.get(from)?.bytes ?? refuse(`tempFilePath file not exist`)
    const extension = /\.[^./]+$/.exec(from)?.[0] ?? ''
    const to = target ?? `${STORE_ROOT}/${this.#freshName()}${extension}`
    if (target === null) this.#put(to, bytes)
    else this.write(target, bytes)
    this.#files.delete(from)
    return to
  }

  savedFiles(): { filePath: string; size: number; createTime: number }[] {
    return [...this.#files]
      .filter(([path]) => path.startsWith(`${STORE_ROOT}/`))
      .map(([filePath, entry]) => ({
        filePath,
        size: entry.bytes.length,
        createTime: Math.floor(entry.modified / 1000),
      }))
  }

  #freshName(): string {
    return `${this.#phone.clock.now().toString(36)}${(this.#nextName++).toString(36).padStart(4, '0')}`
  }

  #sizeFor(path: string, raw: string): number {
    if (!this.exists(path)) refuse(`no such file or directory, stat "${raw}"`)
    return this.read(path).length
  }

  #writable(raw: string, verb: string, alsoSaved = false): string {
    const path = normalizePath(raw)
    if (inUserData(path) || (alsoSaved && isLocal(path))) return path
    return refuse(`permission denied, ${verb} "${raw}"`)
  }

  #needParent(path: string, raw: string, verb: string): void {
    if (!this.#directories.has(parentOf(path))) refuse(`no such file or directory, ${verb} "${raw}"`)
  }

  #keepQuota(path: string, size: number): void {
    let total = size
    for (const [name, entry] of this.#files) if (isKept(name) && name !== path) total += entry.bytes.length
    if (total > this.#phone.settings.limits.userFilesBytes)
      refuse('the maximum size of the file storage limit is exceeded')
  }

  #put(path: string, bytes: Uint8Array): void {
    this.#files.set(path, { bytes, modified: this.#phone.clock.now() })
    this.#save(path, bytes)
  }

  #save(path: string, bytes: Uint8Array | null): void {
    if (isKept(path)) this.#phone.host.persistence.saveFile(path, bytes)
  }
}
