/** The code of current versions on this node: looked up at most once a second, unpacked once. */
import { createHash } from 'node:crypto'
import { access, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import { unpackFunction } from './bundle.ts'
import { type FunctionVersion, unknownFunction, versionOf } from './deploy.ts'
import { currentVersions, getBundle, type VersionRow, variablesOf } from './functions.sql.ts'
import type { Runnable } from './pool.ts'

/** So soon every node runs what was deployed or rolled back. */
const FRESH_MS = 1_000

export interface Current extends FunctionVersion {
  /** The operator's variables for it, those of all functions included. */
  readonly variables: Readonly<Record<string, string>>
}

export interface Code {
  /** Throws AppError `not_found`. */
  find(name: string): Promise<Current>
  /** What a process needs to run it. */
  runnable(version: Current): Promise<Runnable>
  isCurrent(runnable: Runnable): boolean
}

export interface CodeOptions {
  readonly db: Pool
  readonly clock: Clock
  /** Where versions are unpacked. */
  readonly folder: string
  /** Variables that a process has from its beginning, beside the operator's own. */
  readonly base: (name: string) => Readonly<Record<string, string>>
}

export const createCode = ({ db, clock, folder, base }: CodeOptions): Code => {
  let known = new Map<string, Current>()
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | null = null
  const unpacking = new Map<string, Promise<string>>()

  const read = async (): Promise<void> => {
    const at = clock.now()
    const [versions, variables] = await Promise.all([
      db.many<VersionRow>(currentVersions()),
      db.many<{ function: string; key: string; value: string }>(variablesOf()),
    ])
    const of = (name: string) =>
      variables.filter((each) => each.function === name).map(({ key, value }) => [key, value])
    known = new Map(
      versions.map((row) => [
        row.name,
        { ...versionOf(row), variables: Object.fromEntries([...of(''), ...of(row.name)]) },
      ]),
    )
    readAt = at
  }
  const refresh = (): Promise<void> => {
    reading ??= read().finally(() => {
      reading = null
    })
    return reading
  }
  /** What nobody knows may have been deployed a moment ago, and after a look that is still under way had begun. */
  const findNew = async (name: string): Promise<Current | undefined> => {
    await reading
    if (!known.has(name)) await refresh()
    return known.get(name)
  }
  const unpacked = (version: Current): Promise<string> => {
    const name = `${version.name}-${version.version}`
    const found = unpacking.get(name) ?? unpack(db, join(folder, name), version)
    unpacking.set(name, found)
    // A failure is tried again next time.
    found.catch(() => unpacking.delete(name))
    return found
  }
  return {
    async find(name) {
      if (clock.now() - readAt >= FRESH_MS) await refresh()
      const found = known.get(name) ?? (await findNew(name))
      if (found === undefined) throw unknownFunction(name)
      return found
    },
    async runnable(version) {
      const { name, config } = version
      return {
        key: keyOf(version),
        name,
        folder: await unpacked(version),
        env: { ...base(name), ...version.variables },
        config,
      }
    },
    isCurrent({ name, key }) {
      const found = known.get(name)
      return found !== undefined && keyOf(found) === key
    },
  }
}

const keyOf = ({ name, version, variables }: Current): string =>
  `${name}@${version}:${createHash('sha256').update(JSON.stringify(variables)).digest('hex')}`

const unpack = async (db: Pool, folder: string, { name, version }: Current): Promise<string> => {
  if (await exists(folder)) return folder
  const row = await db.maybeOne<{ bundle: Buffer }>(getBundle(name, version))
  if (row === null) throw new AppError('not_found', `Version ${version} of ${name} is gone`)
  const beside = `${folder}.new`
  await rm(beside, { recursive: true, force: true })
  await mkdir(beside, { mode: 0o755 })
  await unpackFunction(row.bundle, beside)
  await rename(beside, folder)
  return folder
}

const exists = async (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )
