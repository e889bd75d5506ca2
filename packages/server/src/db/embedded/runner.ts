/**
 * Decides as whom PostgreSQL runs, because it refuses to be root: directly for ordinary users; for root in a user namespace, where root's files
 * stay root's; else under an unprivileged uid that owns the data. Both root modes reach the data through an inherited folder handle
 * (`/proc/self/fd/3`), so the folders above it may be closed to everyone else.
 */
import { closeSync, lchownSync, lstatSync, openSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { type Binaries, copyBinaries, doNotRun, isSelfContained, parseVersion, type ServerVersion } from './binaries.ts'
import { belongsToAnother, EmbeddedError } from './error.ts'
import { type Launch, reasonOf, runToEnd } from './process.ts'

/** Owner of files as the kernel sees it from outside any namespace. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** How PostgreSQL's programs are started here. */
export interface Runner {
  readonly mode: 'direct' | 'namespace' | 'setuid'
  readonly binaries: Binaries
  readonly version: ServerVersion
  /** Who must own the data folder. */
  readonly owner: Owner
  /** Start of the command line inside a user namespace; empty otherwise. */
  readonly wrapper: readonly string[]
}

/** What to run, on whose data, and which way when the caller insists (tests, odd containers). */
export interface RunnerRequest {
  readonly binaries: Binaries
  readonly dataDir: string
  /** Owner of the database's files; null when there are none yet. */
  readonly dataOwner: Owner | null
  /** Owner of the folder around them. */
  readonly homeOwner: Owner
  readonly runAs: 'auto' | 'namespace' | 'setuid'
  /** Where root puts a copy of the binaries that the unprivileged user can reach. */
  readonly copiesDir: string
}

type Candidate = Omit<Runner, 'version'>

/** Finds a way that works by asking the server for its version in it. */
export async function chooseRunner(request: RunnerRequest): Promise<Runner> {
  const uid = process.geteuid?.() ?? -1
  if (uid === 0) return rootRunner(request)
  const owner = { uid, gid: process.getegid?.() ?? -1 }
  if (request.dataOwner !== null && request.dataOwner.uid !== uid) {
    throw belongsToAnother(request.dataDir, request.dataOwner.uid)
  }
  const direct = await probe({ mode: 'direct', binaries: request.binaries, owner, wrapper: [] })
  if (typeof direct === 'string') throw doNotRun(request.binaries, direct)
  // initdb asks for the name of its user. One without a name (`docker run --user 12345`) borrows a name in a namespace.
  if (request.dataOwner !== null || hasName()) return direct
  const borrowed = await probe({ ...direct, mode: 'namespace', wrapper: namespaceWrapper() })
  if (typeof borrowed !== 'string') return borrowed
  const what = `user id ${uid} has no name in /etc/passwd, which a new database needs, and a user namespace is not allowed here`
  throw new EmbeddedError(
    'no_unprivileged_user',
    `${what} (${borrowed}); start Teahouse as a named user the first time`,
  )
}

async function rootRunner(request: RunnerRequest): Promise<Runner> {
  const namespace: Candidate = {
    mode: 'namespace',
    binaries: request.binaries,
    owner: { uid: 0, gid: 0 },
    wrapper: namespaceWrapper(),
  }
  const foreign = foreignOwner(request)
  const user = foreign ?? unprivilegedUser()
  const setuid: Candidate = { mode: 'setuid', binaries: request.binaries, owner: user, wrapper: [] }
  // Data keeps its owner over restarts where it can: whoever owns it decides which way is tried first.
  const order = (foreign === null ? [namespace, setuid] : [setuid, namespace]).filter(
    (candidate) => request.runAs === 'auto' || candidate.mode === request.runAs,
  )
  const reasons: string[] = []
  for (const candidate of order) {
    const tried = await probeOrCopy(candidate, request)
    if (typeof tried !== 'string') return tried
    reasons.push(
      candidate.mode === 'namespace' ? `a user namespace (${tried})` : `user id ${candidate.owner.uid} (${tried})`,
    )
  }
  const ways = reasons.join(' nor as ')
  throw new EmbeddedError(
    'no_unprivileged_user',
    `PostgreSQL must not run as root and could neither start in ${ways}; start Teahouse as an ordinary user`,
  )
}

/** Whose database root is starting when it is not root's: one that exists, or a new one in a folder of a user with a name. */
function foreignOwner(request: RunnerRequest): Owner | null {
  const owner = request.dataOwner ?? request.homeOwner
  if (owner.uid === 0) return null
  if (request.dataOwner !== null) return owner
  return passwordEntries().some((user) => user.uid === owner.uid) ? owner : null
}

async function probeOrCopy(candidate: Candidate, request: RunnerRequest): Promise<Runner | string> {
  const root = candidate.binaries.root
  if (!isReachable(root, candidate.owner) && isSelfContained(candidate.binaries)) {
    return probe({ ...candidate, binaries: copyBinaries(candidate.binaries, request.copiesDir) })
  }
  return probe(candidate)
}

async function probe(candidate: Candidate): Promise<Runner | string> {
  const ended = await runToEnd(launch(candidate, 'postgres', ['--version']))
  const version = ended.code === 0 ? parseVersion(ended.stdout) : null
  return version === null ? reasonOf(ended) : { ...candidate, version }
}

/** The command line of one of PostgreSQL's programs. The environment is ours alone: no PG* variable of the caller leaks in. */
export function launch(runner: Candidate, program: 'postgres' | 'initdb', args: readonly string[]): Launch {
  const path = join(runner.binaries.root, 'bin', program)
  const [file = path, ...rest] = [...runner.wrapper, path, ...args]
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', LC_ALL: 'C', TZ: 'UTC' }
  const ids = runner.mode === 'setuid' ? runner.owner : {}
  return { file, args: rest, options: { cwd: '/', env, ...ids } }
}

/** The data folder as the child names it, and the handle it needs for that (to be passed as descriptor 3, then closed here). */
export function openData(folder: string): { readonly path: string; readonly handle: number | null; close(): void } {
  const viaHandle = process.platform === 'linux' && process.geteuid?.() === 0
  if (!viaHandle) return { path: folder, handle: null, close: () => undefined }
  const handle = openSync(folder, 'r')
  return { path: '/proc/self/fd/3', handle, close: () => closeSync(handle) }
}

/** Owner of a folder. */
export function ownerOf(folder: string): Owner {
  const { uid, gid } = statSync(folder)
  return { uid, gid }
}

/** When root serves another user's folder, that user's own start must find files of the database's keeping that it may use. */
export function shareWithOwner(folder: string): void {
  const owner = ownerOf(folder)
  if (process.geteuid?.() !== 0 || owner.uid === 0) return
  for (const name of readdirSync(folder)) {
    if (/^(lock$|programs$|postgres\.)/.test(name)) giveTo(join(folder, name), owner)
  }
}

/** Gives a tree to its new owner, the top folder last: an interrupted change is seen and done again. */
export function giveTo(path: string, owner: Owner): void {
  const found = lstatSync(path)
  if (found.isDirectory()) for (const name of readdirSync(path)) giveTo(join(path, name), owner)
  lchownSync(path, owner.uid, owner.gid)
}

/** Whether a user without any privilege gets as far as this folder: every folder on the way lets it pass. */
export function isReachable(folder: string, owner: Owner): boolean {
  const real = realpathSync(folder)
  for (let path = real; ; path = dirname(path)) {
    const found = statSync(path)
    const shift = found.uid === owner.uid ? 6 : found.gid === owner.gid ? 3 : 0
    if (((found.mode >> shift) & 1) === 0) return false
    if (path === dirname(path)) return true
  }
}

function hasName(): boolean {
  try {
    userInfo()
    return true
  } catch {
    return false
  }
}

function namespaceWrapper(): string[] {
  const { uid, gid } = unprivilegedUser()
  return ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`, '--']
}

/** A user that exists by name, for initdb asks for it. Preferred are the two that were made for this. */
function unprivilegedUser(): Owner {
  const users = passwordEntries().filter((user) => user.uid > 0 && user.uid < 2 ** 31)
  const found = ['postgres', '_postgres', 'nobody']
    .map((name) => users.find((user) => user.name === name))
    .find((user) => user !== undefined)
  return found ?? users[0] ?? { uid: 65534, gid: 65534 }
}

function passwordEntries(): ({ readonly name: string } & Owner)[] {
  try {
    return readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .flatMap((line) => {
        const [name, , uid, gid] = line.split(':')
        return name === undefined || uid === undefined || gid === undefined
          ? []
          : [{ name, uid: Number(uid), gid: Number(gid) }]
      })
  } catch {
    return []
  }
}
