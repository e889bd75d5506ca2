/** Where an embedded server listens: a port of 127.0.0.1 that stays the same over restarts, and a short private folder for its Unix socket. */
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Layout } from './cluster.ts'
import { EmbeddedError } from './error.ts'
import { isReachable, type Runner } from './runner.ts'

// Below the range from which systems pick ports for outgoing connections, so that a port kept for later is rarely taken.
const firstPort = 20_000
const portCount = 10_000
const candidates = 50

/** Chooses the port: the wanted one, the one of last time, or a free one found from the cluster's mark. `avoid` were lost to others meanwhile. */
export async function choosePort(
  layout: Layout,
  options: { wanted: number; mark: string; avoid: ReadonlySet<number> },
): Promise<number> {
  if (options.wanted !== 0) {
    if (!options.avoid.has(options.wanted) && (await isFree(options.wanted))) return options.wanted
    throw new EmbeddedError(
      'port_in_use',
      `port ${options.wanted} of 127.0.0.1 is in use; choose another database port or 0 for a free one`,
    )
  }
  const start = Number.parseInt(options.mark.slice(-7), 16) % portCount
  const derived = Array.from({ length: candidates }, (_, step) => firstPort + ((start + step * 97) % portCount))
  for (const port of [...lastPort(layout), ...derived]) {
    if (!options.avoid.has(port) && (await isFree(port))) return port
  }
  throw new EmbeddedError(
    'port_in_use',
    `no free port for the database among ${candidates} between ${firstPort} and ${firstPort + portCount}`,
  )
}

/** The port of the last start, if there was one. */
export function lastPort(layout: Layout): number[] {
  try {
    const port = Number.parseInt(readFileSync(layout.portFile, 'utf8'), 10)
    return port > 0 && port < 65_536 ? [port] : []
  } catch {
    return []
  }
}

/** Keeps the port for the next start. */
export function rememberPort(layout: Layout, port: number): void {
  if (lastPort(layout)[0] !== port) {
    writeFileSync(`${layout.portFile}.new`, `${port}\n`)
    renameSync(`${layout.portFile}.new`, layout.portFile)
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

// `/.s.PGSQL.65535` and the 103 bytes that macOS allows.
const longestFolder = 103 - 16

/** Makes the folder of the Unix socket, closed to other users; null where none can be had, and then there is only TCP. */
export function makeSocketFolder(mark: string, runner: Runner): string | null {
  const bases = [...new Set([tmpdir(), '/tmp', '/var/tmp', '/dev/shm'])]
  for (const base of bases) {
    for (const suffix of ['', '-1', '-2', '-3']) {
      const folder = join(base, `${mark}${suffix}`)
      if (Buffer.byteLength(folder) > longestFolder) break
      if (ownFolder(folder, runner)) return folder
    }
  }
  return null
}

/** Makes the folder empty and ours, false when it cannot be: a stranger who made the name first keeps it. */
export function ownFolder(folder: string, runner: Runner): boolean {
  const found = lstatSync(folder, { throwIfNoEntry: false })
  if (found !== undefined && !(found.isDirectory() && [process.geteuid?.(), runner.owner.uid].includes(found.uid)))
    return false
  try {
    // What an earlier server left there names its pid, which may be someone else's by now.
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { mode: 0o700 })
  } catch {
    return false
  }
  try {
    chownSync(folder, runner.owner.uid, runner.owner.gid)
    chmodSync(folder, 0o700)
    if (runner.mode === 'direct' || isReachable(folder, runner.owner)) return true
  } catch {
    // Not ours to change: try another place.
  }
  rmSync(folder, { recursive: true, force: true })
  return false
}

/** Removes the socket folder after the server has ended. */
export function removeSocketFolder(folder: string | null): void {
  if (folder !== null) rmSync(folder, { recursive: true, force: true })
}
