/** Versions of functions: a deployment makes one and puts it to work in the same moment, a roll-back puts an earlier one to work again. */
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import type { Bundle } from './bundle.ts'
import { type FunctionConfig, nextRun } from './config.ts'
import {
  activate,
  allVersions,
  currentVersions,
  deleteFunction,
  deleteVariable,
  dropTimers,
  lockFunction,
  pruneVersions,
  putTimer,
  putVariable,
  putVersion,
  type VersionRow,
} from './functions.sql.ts'

export interface Deployed {
  readonly name: string
  readonly version: number
  /** False when the files are those of the current version. */
  readonly changed: boolean
}

export interface FunctionVersion {
  readonly name: string
  readonly version: number
  readonly config: FunctionConfig
  readonly createdAt: Date
  readonly current: boolean
}

/** Earlier versions that are kept for a roll-back. */
const KEPT = 20

export const deployFunction = async (db: Pool, clock: Clock, bundle: Bundle): Promise<Deployed> => {
  const { name, bytes, digest, config } = bundle
  return db.transaction(async (tx) => {
    const row = await tx.maybeOne<{ digest: string | null; latest: string; current: string }>(lockFunction(name))
    if (row?.digest === digest) return { name, version: Number(row.current), changed: false }
    const version = Number(row?.latest ?? 0) + 1
    await tx.run(putVersion({ name, version, bundle: bytes, digest, config }))
    await tx.run(activate(name, version))
    await setTimers(tx, clock, name, config)
    await tx.run(pruneVersions(name, KEPT))
    return { name, version, changed: true }
  })
}

type Tx = Parameters<Parameters<Pool['transaction']>[0]>[0]

const setTimers = async (tx: Tx, clock: Clock, name: string, { timers }: FunctionConfig): Promise<void> => {
  const kept = timers.map((each) => each.name)
  await tx.run(dropTimers(name, kept))
  for (const timer of timers) await tx.run(putTimer(name, timer, nextRun(timer.cron, new Date(clock.now()))))
}

/** Puts `version` to work, by default the one before the current. Throws AppError `not_found`. */
export const rollBack = async (db: Pool, clock: Clock, name: string, version?: number): Promise<Deployed> =>
  db.transaction(async (tx) => {
    const rows = (await tx.many<VersionRow>(allVersions(name))).map(versionOf)
    const current = rows.find((each) => each.current)
    if (current === undefined) throw unknownFunction(name)
    const wanted = rows.find((each) =>
      version === undefined ? each.version < current.version : each.version === version,
    )
    if (wanted === undefined) throw new AppError('not_found', `There is no ${version ?? 'earlier'} version of ${name}`)
    await tx.run(activate(name, wanted.version))
    await setTimers(tx, clock, name, wanted.config)
    return { name, version: wanted.version, changed: wanted.version !== current.version }
  })

export const listFunctions = async (db: Pool): Promise<readonly FunctionVersion[]> =>
  (await db.many<VersionRow>(currentVersions())).map(versionOf)

export const listVersions = async (db: Pool, name: string): Promise<readonly FunctionVersion[]> =>
  (await db.many<VersionRow>(allVersions(name))).map(versionOf)

export const removeFunction = async (db: Pool, name: string): Promise<void> => {
  if ((await db.run(deleteFunction(name))) === 0) throw unknownFunction(name)
}

/** Sets a variable of one function, or of all when `name` is empty; null takes it away. Processes that run keep what they had. */
export const setVariable = async (db: Pool, name: string, key: string, value: string | null): Promise<void> => {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) throw new AppError('bad_request', `"${key}" is no name of a variable`)
  await db.run(value === null ? deleteVariable(name, key) : putVariable(name, key, value))
}

export const unknownFunction = (name: string): AppError =>
  new AppError('not_found', `There is no function ${name}`, { reason: 'function_unknown' })

export const versionOf = ({ name, version, config, created_at, current }: VersionRow): FunctionVersion => ({
  name,
  version: Number(version),
  config,
  createdAt: new Date(created_at),
  current,
})
