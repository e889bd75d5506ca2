/**
 * A lock on a folder that vanishes with the process that holds it.
 *
 * Naive: a file with a pid, which lies after a crash and again when the pid is reused. Here the lock is a listening Unix socket inside the
 * folder: whoever can connect knows that the holder lives, in whatever container it does. Taking over a dead lock must not race, so sockets are
 * numbered: a taker links its own, already listening socket to the next number (atomic, one winner) and then looks again; only the highest
 * number holds, and the highest file is never removed, so numbers never run backwards.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EmbeddedError, messageOf, systemCode } from './error.ts'

/** A held lock. */
export interface FolderLock {
  release(): Promise<void>
}

// Socket paths end at 107 bytes on Linux and 103 on macOS.
const longestSocketPath = 100
const attempts = 5

/** Takes the lock of a folder, or throws `locked` naming the process that holds it. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const place = join(folder, 'lock')
  try {
    mkdirSync(place, { recursive: true, mode: 0o700 })
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const top = Math.max(0, ...generations(place))
      const holder = top === 0 ? null : await holderOf(place, top)
      if (holder !== null) throw inUse(folder, holder)
      const server = await claim(place, top + 1)
      if (server !== null) return { release: () => close(server) }
    }
  } catch (error) {
    if (error instanceof EmbeddedError) throw error
    throw new EmbeddedError(
      'data_dir_unusable',
      `the data folder ${folder} cannot be locked: ${messageOf(error)}`,
      error,
    )
  }
  throw new EmbeddedError(
    'locked',
    `the data folder ${folder} is being opened by another Teahouse process at this moment`,
  )
}

/** The pid of the living process that holds the folder's lock; null when nobody does. */
export async function lockHolder(folder: string): Promise<number | null> {
  const place = join(folder, 'lock')
  const top = Math.max(0, ...generations(place))
  return top === 0 ? null : holderOf(place, top)
}

function inUse(folder: string, pid: number): EmbeddedError {
  const who = pid === process.pid ? 'this very process' : pid > 0 ? `process ${pid}` : 'another process'
  return new EmbeddedError(
    'locked',
    `the data folder ${folder} is in use by ${who}; stop it first or choose another --data-dir`,
  )
}

function generations(place: string): number[] {
  try {
    return readdirSync(place)
      .flatMap((name) => /^(\d+)\.sock$/.exec(name)?.[1] ?? [])
      .map(Number)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}

async function claim(place: string, generation: number): Promise<Server | null> {
  const draft = `new-${randomBytes(6).toString('hex')}.sock`
  const server = await viaShortPath(place, (short) => listen(join(short, draft)))
  try {
    // The folder is closed to others; its owner must be able to ask even when root holds the lock.
    chmodSync(join(place, draft), 0o666)
    publish(join(place, draft), join(place, `${generation}.sock`))
  } catch (error) {
    await close(server)
    if (systemCode(error) === 'EEXIST' || systemCode(error) === 'ENOENT') return null
    throw error
  }
  if (generations(place).some((other) => other > generation)) {
    await close(server)
    return null
  }
  for (const name of readdirSync(place)) if (name !== `${generation}.sock`) rmSync(join(place, name), { force: true })
  return server
}

/** Gives the listening socket its number; fails with EEXIST when another process was faster. */
function publish(draft: string, final: string): void {
  try {
    linkSync(draft, final)
  } catch (error) {
    // File systems without hard links to sockets: a plain rename, which leaves a window of microseconds between two starts.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(systemCode(error))) throw error
    renameSync(draft, final)
    return
  }
  unlinkSync(draft)
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end(`${process.pid}\n`)
    })
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      server.on('error', () => undefined)
      server.unref()
      resolve(server)
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}

/** The pid behind a lock socket, 0 when it lives but does not say, null when nobody listens. */
function holderOf(place: string, generation: number): Promise<number | null> {
  return viaShortPath(place, (short) => {
    return new Promise<number | null>((resolve, reject) => {
      let said = ''
      const socket = connect(join(short, `${generation}.sock`))
      const done = (pid: number | null) => {
        socket.destroy()
        resolve(pid)
      }
      socket.setTimeout(500, () => done(0))
      socket.on('data', (data) => {
        said += data.toString('latin1')
      })
      socket.once('end', () => done(Number.parseInt(said, 10) || 0))
      socket.once('error', (error) => {
        const code = systemCode(error)
        if (code === 'ECONNREFUSED' || code === 'ENOENT') done(null)
        else if (code === 'EAGAIN' || code === 'ECONNRESET') done(0)
        else reject(error)
      })
    })
  })
}

/** Runs `use` with a path to the folder that is short enough for sockets: the folder itself, or a symbolic link that lives for the call. */
async function viaShortPath<T>(folder: string, use: (short: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(folder) + 30 <= longestSocketPath) return use(folder)
  const base = Buffer.byteLength(tmpdir()) < 60 ? tmpdir() : '/tmp'
  const alias = join(base, `teahouse-${randomBytes(6).toString('hex')}`)
  symlinkSync(folder, alias)
  try {
    return await use(alias)
  } finally {
    unlinkSync(alias)
  }
}
