/** The files of an embedded cluster: layout of the data folder, initdb, the superuser's secret, configuration. Starting it is supervisor.ts. */
import { createHash, randomBytes } from 'node:crypto'
import {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import type { ServerVersion } from './binaries.ts'
import { belongsToAnother, EmbeddedError, messageOf, systemCode } from './error.ts'
import { type Ended, reasonOf, runToEnd } from './process.ts'
import { giveTo, launch, openData, type Runner } from './runner.ts'
import { renderSettings, type Settings } from './settings.ts'

/** Where things lie below the data folder. */
export interface Layout {
  readonly dataDir: string
  readonly cluster: string
  readonly secretFile: string
  readonly portFile: string
  readonly logFile: string
}

/** The layout below a data folder. */
export function layoutOf(dataDir: string): Layout {
  const root = resolve(dataDir)
  return {
    dataDir: root,
    cluster: join(root, 'postgres'),
    secretFile: join(root, 'postgres.secret'),
    portFile: join(root, 'postgres.port'),
    logFile: join(root, 'postgres.log'),
  }
}

/** Makes the data folder, closed to other users. */
export function makeDataDir(layout: Layout): void {
  try {
    mkdirSync(layout.dataDir, { recursive: true, mode: 0o700 })
    accessSync(layout.dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const owner = existsSync(layout.dataDir) ? statSync(layout.dataDir).uid : process.geteuid?.()
    if (owner !== undefined && owner !== process.geteuid?.()) throw belongsToAnother(layout.dataDir, owner)
    const what = `the data folder ${layout.dataDir} cannot be used: ${messageOf(error)}`
    throw new EmbeddedError('data_dir_unusable', what, error)
  }
}

/** What lies in the cluster folder: nothing yet, or files of a major version. Throws for anything that is not a cluster. */
export function clusterMajor(layout: Layout): number | null {
  try {
    return Number.parseInt(readFileSync(join(layout.cluster, 'PG_VERSION'), 'utf8'), 10)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') {
      throw new EmbeddedError('data_dir_unusable', `the database files cannot be read: ${messageOf(error)}`, error)
    }
  }
  if (existsSync(layout.cluster) && readdirSync(layout.cluster).length > 0) {
    throw new EmbeddedError(
      'data_dir_unusable',
      `${layout.cluster} is not empty and holds no PostgreSQL database; move it away or choose another --data-dir`,
    )
  }
  return null
}

/** Refuses files of another major version, with the way across. */
export function checkMajor(layout: Layout, found: number, version: ServerVersion): void {
  if (found === version.major) return
  const what = `${layout.cluster} was made by PostgreSQL ${found}, but the programs here are PostgreSQL ${version.major}`
  const way =
    'run "teahouse backup FILE" with the release that made it, then "teahouse restore FILE" into an empty data folder'
  throw new EmbeddedError('version_mismatch', `${what}; ${way}`)
}

/** The superuser's password, made at the first call. `fresh` tells that the server cannot know it yet. */
export function readSecret(layout: Layout): { readonly secret: string; readonly fresh: boolean } {
  try {
    const secret = readFileSync(layout.secretFile, 'utf8').trim()
    if (/^[\w-]{16,}$/.test(secret)) return { secret, fresh: false }
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') {
      throw new EmbeddedError('data_dir_unusable', `the database secret cannot be read: ${messageOf(error)}`, error)
    }
  }
  return { secret: randomBytes(24).toString('base64url'), fresh: true }
}

/** Stores the secret, readable by this user alone, complete or not at all. */
export function storeSecret(layout: Layout, secret: string): void {
  const draft = `${layout.secretFile}.new`
  rmSync(draft, { force: true })
  const file = openSync(draft, 'wx', 0o600)
  try {
    writeFileSync(file, `${secret}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(draft, layout.secretFile)
  syncFolder(layout.dataDir)
}

/** What initdb needs to know. */
export interface NewCluster {
  readonly layout: Layout
  readonly runner: Runner
  readonly secret: string
  /** False for throwaway clusters: nothing is flushed to disk. */
  readonly durable: boolean
}

/** Makes a new cluster beside its final place and moves it there when it is complete. */
export async function createCluster(plan: NewCluster): Promise<void> {
  removeDrafts(plan.layout)
  const locales = localeArguments(plan.runner.version.major)
  let reason = ''
  for (const locale of locales) {
    const draft = `${plan.layout.cluster}.new-${randomBytes(4).toString('hex')}`
    const ended = await initdb(plan, draft, locale)
    if (ended.code === 0) {
      appendFileSync(join(draft, 'postgresql.conf'), "\ninclude 'teahouse.conf'\n")
      if (existsSync(plan.layout.cluster)) rmdirSync(plan.layout.cluster)
      renameSync(draft, plan.layout.cluster)
      if (plan.durable) syncFolder(plan.layout.dataDir)
      return
    }
    reason = reasonOf(ended)
    rmSync(draft, { recursive: true, force: true })
  }
  throw new EmbeddedError('initdb_failed', `a new database could not be made in ${plan.layout.cluster}: ${reason}`)
}

async function initdb(plan: NewCluster, draft: string, locale: readonly string[]): Promise<Ended> {
  const passwordFile = `${draft}.password`
  mkdirSync(draft, { mode: 0o700 })
  writeFileSync(passwordFile, `${plan.secret}\n`, { mode: 0o600, flag: 'wx' })
  giveTo(draft, plan.runner.owner)
  giveTo(passwordFile, plan.runner.owner)
  const data = openData(draft)
  const password = openData(passwordFile)
  const words = [
    ...['-D', data.path, '-U', 'postgres', '--auth=scram-sha-256', '--encoding=UTF8', '--text-search-config=english'],
    ...['--data-checksums', '--no-instructions', ...locale, ...(plan.durable ? [] : ['--no-sync'])],
    password.handle === null ? `--pwfile=${passwordFile}` : '--pwfile=/proc/self/fd/4',
  ]
  try {
    return await runToEnd(launch(plan.runner, 'initdb', words), { handles: [data.handle, password.handle] })
  } finally {
    data.close()
    password.close()
    rmSync(passwordFile, { force: true })
  }
}

/** PostgreSQL 17 brought its own C.UTF-8, the same on every machine; before, the system's, and plain C where it has none. */
function localeArguments(major: number): readonly (readonly string[])[] {
  if (major >= 17) return [['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']]
  return [['--locale=C', '--lc-ctype=C.UTF-8'], ['--locale=C']]
}

/** Leftovers of an initdb that was cut short. */
function removeDrafts(layout: Layout): void {
  for (const name of readdirSync(layout.dataDir)) {
    if (!name.startsWith('postgres.new-')) continue
    try {
      rmSync(join(layout.dataDir, name), { recursive: true, force: true })
    } catch {
      // An initdb that outlived its server may still be writing; it ends by itself, and the next start removes the rest.
    }
  }
}

/** Writes the settings of this start. They are included from postgresql.conf, so an operator's own lines can follow and win. */
export function configure(layout: Layout, runner: Runner, settings: Settings): void {
  const file = join(layout.cluster, 'teahouse.conf')
  const text = renderSettings(settings)
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
    writeFileSync(`${file}.new`, text, { mode: 0o600 })
    renameSync(`${file}.new`, file)
  }
  const main = join(layout.cluster, 'postgresql.conf')
  if (!/^\s*include 'teahouse\.conf'/m.test(readFileSync(main, 'utf8')))
    appendFileSync(main, "\ninclude 'teahouse.conf'\n")
  giveTo(file, runner.owner)
}

/** Sets the superuser's password without a password, through a server of one session: for a cluster whose secret file was lost. */
export async function resetPassword(layout: Layout, runner: Runner, secret: string): Promise<void> {
  const data = openData(layout.cluster)
  try {
    const single = launch(runner, 'postgres', ['--single', '-D', data.path, 'postgres'])
    const ended = await runToEnd(single, {
      input: `alter role postgres with password '${secret}'\n`,
      handles: [data.handle],
    })
    if (ended.code !== 0 || /\b(ERROR|FATAL|PANIC):/.test(ended.stderr)) {
      throw new EmbeddedError('start_failed', `the lost database secret could not be replaced: ${reasonOf(ended)}`)
    }
  } finally {
    data.close()
  }
}

/** A short name for this cluster that no other living one has: a folder in use keeps its inode. */
export function clusterMark(layout: Layout): string {
  const { dev, ino } = statSync(layout.cluster, { bigint: true })
  return `teahouse-${createHash('sha256').update(`${dev}:${ino}`).digest('hex').slice(0, 10)}`
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
