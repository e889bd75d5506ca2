/**
 * Starts the processes of functions, with what bounds them.
 *
 * On Linux each runs under `prlimit`: data (heap and buffers together), processes, open files, sizes of files, no core dumps. Where the server is
 * root, each slot has a user of its own as well, so that a function reads neither the server's files nor its neighbours', and the limit on
 * processes counts its own only. Elsewhere (macOS) only the heap, the time and the reply are bounded, and the functions run as the server's user.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync } from 'node:fs'
import { chmod, chown, copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../runtime/function-process.mjs', import.meta.url))
const PREFIX = 'teahouse-functions-'

/** Processes and threads of one function; Node itself has about twelve. */
const MAX_TASKS = 64
const MAX_FILES = 512
const MAX_FILE_BYTES = 512 * 1024 * 1024
/** MB that Node takes before a function has done anything. */
const NODE_MB = 96

/** Folders and users of one server's functions. */
export interface Ground {
  /** Readable for functions. */
  readonly folder: string
  /** First user of the slots; null where functions run as the server's own user. */
  readonly firstUid: number | null
  remove(): Promise<void>
}

/** Makes the folders, and takes away what a killed server left behind. */
export const prepareGround = async (seed: string): Promise<Ground> => {
  await removeLeftovers()
  const folder = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`))
  const firstUid = isRoot() ? await usableUid(seed) : null
  const gid = firstUid ?? process.getgid?.() ?? 0
  // Of the group of all slots, and nobody else's to read.
  if (firstUid !== null) await chown(folder, 0, gid)
  await chmod(folder, 0o750)
  const program = join(folder, 'process.mjs')
  await copyFile(PROGRAM, program)
  await chmod(program, 0o644)
  await mkdir(join(folder, 'code'), { mode: 0o755 })
  await mkdir(join(folder, 'slots'), { mode: 0o755 })
  return { folder, firstUid, remove: () => rm(folder, { recursive: true, force: true }) }
}

const removeLeftovers = async (): Promise<void> => {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue
    const pid = Number.parseInt(name.slice(PREFIX.length), 10)
    if (Number.isInteger(pid) && !isAlive(pid))
      await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => {})
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Node's own errors carry a code; EPERM is another user's living process.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const isRoot = (): boolean => process.platform === 'linux' && process.getuid?.() === 0

/** Far beyond anybody's real users where the system has such numbers; containers often map only the first 65536. */
const usableUid = async (seed: string): Promise<number | null> => {
  const hash = createHash('sha256').update(seed).digest().readUInt32LE(0)
  for (const uid of [0x1000_0000 + (hash % 0x10_0000) * 64, 60_000 + (hash % 70) * 64]) {
    if (await canRunAs(uid)) return uid
  }
  return null
}

const canRunAs = (uid: number): Promise<boolean> =>
  new Promise((resolve) => {
    try {
      const child = spawn('/bin/true', [], { uid, gid: uid, stdio: 'ignore' })
      child.once('error', () => resolve(false))
      child.once('close', (code) => resolve(code === 0))
    } catch {
      resolve(false)
    }
  })

/** A place for one process: its user and its own folder. */
export interface Slot {
  readonly number: number
  readonly uid: number | null
  readonly home: string
}

export const slotOf = ({ folder, firstUid }: Ground, number: number): Slot => ({
  number,
  uid: firstUid === null ? null : firstUid + 1 + number,
  home: join(folder, 'slots', String(number)),
})

/** An empty folder that belongs to the slot's user. */
export const cleanSlot = async ({ home, uid }: Slot): Promise<void> => {
  await rm(home, { recursive: true, force: true })
  await mkdir(home, { mode: 0o700 })
  if (uid !== null) await chown(home, uid, uid)
}

const PRLIMIT = '/usr/bin/prlimit'
const SETPRIV = '/usr/bin/setpriv'

/** Descriptors of the child: messages to it, messages from it, Node's own binary. */
const TO_CHILD = 3
const NODE_BINARY = 5

/** What is bounded on this machine, for the log and the documentation. */
export const isBounded = (): boolean => process.platform === 'linux' && existsSync(PRLIMIT)

/** Starts a process that waits for a function. `memory` in MB. */
export const launch = (ground: Ground, slot: Slot, memory: number): ChildProcess => {
  // Through a descriptor: the binary may lie in a home folder that the slot's user cannot enter.
  const binary = openSync(process.execPath, 'r')
  try {
    const node = process.platform === 'linux' ? `/proc/self/fd/${NODE_BINARY}` : process.execPath
    const program = [node, `--max-old-space-size=${memory}`, join(ground.folder, 'process.mjs')]
    const [file = node, ...args] = [...wrappers(slot, memory), ...program]
    const child = spawn(file, args, {
      cwd: slot.home,
      detached: true,
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        HOME: slot.home,
        TMPDIR: slot.home,
        TZ: 'Asia/Shanghai',
        LANG: 'C.UTF-8',
        NODE_ENV: 'production',
      },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', binary],
      ...(slot.uid === null ? {} : { uid: slot.uid, gid: ground.firstUid ?? slot.uid }),
    })
    child.stdio[TO_CHILD]?.on('error', () => {})
    return child
  } finally {
    closeSync(binary)
  }
}

const wrappers = (slot: Slot, memory: number): readonly string[] => {
  if (!isBounded()) return []
  const limits = [
    // Buffers count here and not in Node's own limit: as much again as the heap.
    `--data=${(2 * memory + NODE_MB) * 1024 * 1024}`,
    `--nofile=${MAX_FILES}`,
    `--fsize=${MAX_FILE_BYTES}`,
    '--core=0',
    // Counted per user: without one of its own, the server's processes would count too.
    ...(slot.uid === null ? [] : [`--nproc=${MAX_TASKS}`]),
  ]
  // A killed server takes its functions with it, also one in an endless loop.
  const tied = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig=KILL'] : []
  return [...tied, PRLIMIT, ...limits]
}
