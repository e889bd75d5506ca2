/** The embedded PostgreSQL: from a data folder to a running, supervised server that only this machine can reach. The steps are in the files beside. */

import { choosePort, lastPort, makeSocketFolder, rememberPort, removeSocketFolder } from './address.ts'
import { locateBinaries } from './binaries.ts'
import {
  checkMajor,
  clusterMajor,
  clusterMark,
  configure,
  createCluster,
  type Layout,
  layoutOf,
  makeDataDir,
  readSecret,
  resetPassword,
  storeSecret,
} from './cluster.ts'
import { EmbeddedError } from './error.ts'
import { clearLeftovers } from './leftovers.ts'
import { lockFolder, lockHolder } from './lock.ts'
import { chooseRunner, giveTo, ownerOf, type Runner, shareWithOwner } from './runner.ts'
import { type EmbeddedLog, ServerLog } from './server-log.ts'
import { type Settings, settingsFor } from './settings.ts'
import { type PostmasterExit, Supervisor } from './supervisor.ts'

/** How to start an embedded server. */
export interface EmbeddedOptions {
  /** The product's data folder; the database lies in `postgres` below it. */
  readonly dataDir: string
  /** A folder with `bin/postgres`, instead of the platform package. */
  readonly binaries?: { readonly dir: string } | undefined
  /** Port on 127.0.0.1; 0 takes the last one again or finds a free one. */
  readonly port?: number
  readonly log: EmbeddedLog
  /** PostgreSQL settings on top of the defaults. */
  readonly settings?: Settings
  /** How to avoid being root; `auto` tries what works. */
  readonly runAs?: 'auto' | 'namespace' | 'setuid'
  /** Where root puts a copy of the programs that an unprivileged user can reach. */
  readonly copiesDir?: string
}

/** Connection options for `pg`, over the Unix socket where there is one. */
export interface SocketConnection {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

/** A running embedded server. */
export interface EmbeddedPostgres {
  /** Such as `18.4`. */
  readonly version: string
  readonly major: number
  /** How it avoids being root. */
  readonly mode: Runner['mode']
  readonly socketDir: string | null
  readonly port: number
  readonly host: '127.0.0.1'
  readonly superuser: 'postgres'
  readonly password: string
  readonly database: 'postgres'
  /** TCP on 127.0.0.1 with scram, as the superuser. */
  readonly ownerUrl: string
  /** The same user by the fastest way. */
  readonly connection: SocketConnection
  /** The postmaster; null between a crash and the restart. */
  readonly pid: number | null
  /** Told when the postmaster died by itself. It is started again; see `onRestart`. Returns a function that unsubscribes. */
  onExit(listener: (exit: PostmasterExit) => void): () => void
  /** Told when the server accepts connections again after such a death. */
  onRestart(listener: () => void): () => void
  /** Fast shutdown; when it resolves, no process is left and the data folder is free. */
  stop(): Promise<void>
}

const defaultCopiesDir = '/var/lib/teahouse'

/** Starts PostgreSQL on a data folder, making the database at the first start. Refusals are `EmbeddedError`s with one line to act on. */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const layout = layoutOf(options.dataDir)
  makeDataDir(layout)
  const lock = await lockFolder(layout.dataDir)
  try {
    const runner = await prepareRunner(layout, options)
    const secret = await prepareCluster(layout, runner, options)
    const started = await startServer({ layout, runner, options })
    shareWithOwner(layout.dataDir)
    return describe({ ...started, runner, secret, release: () => lock.release() })
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** The owner's URL of the server that runs on a data folder now, for commands beside it; null when none does. */
export async function runningOwnerUrl(dataDir: string): Promise<string | null> {
  const layout = layoutOf(dataDir)
  if ((await lockHolder(layout.dataDir)) === null) return null
  const { secret, fresh } = readSecret(layout)
  const [port] = lastPort(layout)
  return fresh || port === undefined ? null : ownerUrl(secret, port)
}

async function prepareRunner(layout: Layout, options: EmbeddedOptions): Promise<Runner> {
  const found = clusterMajor(layout)
  const runner = await chooseRunner({
    binaries: locateBinaries({ dir: options.binaries?.dir, spare: `${layout.dataDir}/programs` }),
    dataDir: layout.dataDir,
    dataOwner: found === null ? null : ownerOf(layout.cluster),
    homeOwner: ownerOf(layout.dataDir),
    runAs: options.runAs ?? 'auto',
    copiesDir: options.copiesDir ?? defaultCopiesDir,
  })
  if (found !== null) checkMajor(layout, found, runner.version)
  return runner
}

/** Makes or adopts the cluster's files; returns the superuser's password. */
async function prepareCluster(layout: Layout, runner: Runner, options: EmbeddedOptions): Promise<string> {
  const settings = settingsFor(runner.version.major, options.settings)
  const { secret, fresh } = readSecret(layout)
  const isNew = clusterMajor(layout) === null
  if (isNew) {
    options.log.info(`making a new PostgreSQL ${runner.version.text} database in ${layout.cluster}`)
    // The secret is stored before the cluster that knows it: after a crash between the two, initdb simply runs again.
    storeSecret(layout, secret)
    await createCluster({ layout, runner, secret, durable: settings.fsync !== false && settings.fsync !== 'off' })
  }
  await clearLeftovers(layout, clusterMark(layout), options.log)
  if (ownerOf(layout.cluster).uid !== runner.owner.uid) giveTo(layout.cluster, runner.owner)
  configure(layout, runner, settings)
  if (fresh && !isNew) {
    await resetPassword(layout, runner, secret)
    storeSecret(layout, secret)
  }
  return secret
}

interface Started {
  readonly supervisor: Supervisor
  readonly port: number
  readonly socketDir: string | null
}

const portAttempts = 4

async function startServer(input: { layout: Layout; runner: Runner; options: EmbeddedOptions }): Promise<Started> {
  const { layout, runner, options } = input
  const { log } = options
  const mark = clusterMark(layout)
  const socketDir = makeSocketFolder(mark, runner)
  const lost = new Set<number>()
  while (true) {
    const port = await choosePort(layout, { wanted: options.port ?? 0, mark, avoid: lost })
    const serverLog = new ServerLog(layout.logFile, log)
    const supervisor = new Supervisor({ layout, runner, mark, socketDir, port, log, serverLog })
    try {
      await supervisor.start()
      rememberPort(layout, port)
      return { supervisor, port, socketDir }
    } catch (error) {
      await supervisor.stop()
      lost.add(port)
      if (!(error instanceof EmbeddedError) || error.code !== 'port_in_use' || lost.size === portAttempts) {
        removeSocketFolder(socketDir)
        throw error
      }
    }
  }
}

function describe(input: Started & { runner: Runner; secret: string; release: () => Promise<void> }): EmbeddedPostgres {
  const { supervisor, port, socketDir, runner, secret } = input
  let stopped: Promise<void> | null = null
  const stop = async () => {
    await supervisor.stop()
    removeSocketFolder(socketDir)
    await input.release()
  }
  return {
    version: runner.version.text,
    major: runner.version.major,
    mode: runner.mode,
    socketDir,
    port,
    host: '127.0.0.1',
    superuser: 'postgres',
    password: secret,
    database: 'postgres',
    ownerUrl: ownerUrl(secret, port),
    connection: { host: socketDir ?? '127.0.0.1', port, user: 'postgres', password: secret, database: 'postgres' },
    get pid() {
      return supervisor.pid
    },
    onExit: (listener) => supervisor.onExit(listener),
    onRestart: (listener) => supervisor.onRestart(listener),
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}

function ownerUrl(secret: string, port: number): string {
  return `postgresql://postgres:${encodeURIComponent(secret)}@127.0.0.1:${port}/postgres`
}
