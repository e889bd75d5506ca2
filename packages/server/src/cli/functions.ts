/** `teahouse functions …`: deploys cloud functions, rolls them back, sets their variables, reads their logs. Needs the database, not the server. */
import { resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import { findFunctions, packFunction } from '../functions/bundle.ts'
import {
  deployFunction,
  listFunctions,
  listVersions,
  removeFunction,
  rollBack,
  setVariable,
} from '../functions/deploy.ts'
import { createFunctionLogs, type StoredLog } from '../functions/logs.ts'
import { systemClock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import { silentLog } from '../observe/log.ts'
import { type Terminal, withOwner } from './context.ts'

/** Deploys the function in `folder`, or each function below it. */
export const deployCommand = async (config: Config, terminal: Terminal, folder: string): Promise<void> => {
  const folders = await findFunctions(resolve(folder))
  if (folders.length === 0)
    throw new AppError('not_found', `There is no function in ${resolve(folder)}: a folder with an index.js`)
  const deployed = await withOwner(config, async (owner) => {
    const all = []
    for (const each of folders) {
      const bundle = await packFunction(each)
      terminal.say(`${bundle.name}: ${Math.ceil(bundle.bytes.length / 1024)} KB`)
      all.push(await deployFunction(owner, systemClock, bundle))
    }
    return all
  })
  if (config.json) return terminal.out(JSON.stringify({ deployed }))
  for (const { name, version, changed } of deployed) {
    terminal.out(changed ? `deployed ${name}, version ${version}` : `${name} is version ${version} already`)
  }
}

export const listCommand = async (config: Config, terminal: Terminal, name: string | null): Promise<void> => {
  const rows = await withOwner(config, (owner) => (name === null ? listFunctions(owner) : listVersions(owner, name)))
  if (config.json) return terminal.out(JSON.stringify(rows))
  for (const each of rows) {
    const { timeout, memory, timers } = each.config
    const line = [each.name, `version ${each.version}`, each.createdAt.toISOString(), `${timeout} s`, `${memory} MB`]
    terminal.out(
      [...line, ...timers.map((timer) => `timer ${timer.name}`), each.current ? '' : '(not in use)']
        .join('  ')
        .trimEnd(),
    )
  }
}

export const rollbackCommand = async (
  config: Config,
  terminal: Terminal,
  { name, version }: { readonly name: string; readonly version: number | undefined },
): Promise<void> => {
  const done = await withOwner(config, (owner) => rollBack(owner, systemClock, name, version))
  terminal.out(config.json ? JSON.stringify(done) : `${name} runs version ${done.version}`)
}

export const removeCommand = async (config: Config, terminal: Terminal, name: string): Promise<void> => {
  await withOwner(config, (owner) => removeFunction(owner, name))
  terminal.out(config.json ? JSON.stringify({ removed: name }) : `removed ${name}`)
}

/** `KEY=value` sets, `KEY` alone takes away. An empty name means all functions. */
export const variablesCommand = async (
  config: Config,
  terminal: Terminal,
  { name, pairs }: { readonly name: string; readonly pairs: readonly string[] },
): Promise<void> => {
  await withOwner(config, async (owner) => {
    for (const pair of pairs) {
      const at = pair.indexOf('=')
      if (at === -1) await setVariable(owner, name, pair, null)
      else await setVariable(owner, name, pair.slice(0, at), pair.slice(at + 1))
    }
  })
  terminal.out(
    config.json
      ? JSON.stringify({ set: pairs.length })
      : `${pairs.length} set for ${name === '' ? 'all functions' : name}`,
  )
}

const FOLLOW_MS = 1_000

export const logsCommand = async (
  config: Config,
  terminal: Terminal,
  { name, limit, follow }: { readonly name: string; readonly limit: number; readonly follow: boolean },
): Promise<void> =>
  withOwner(config, async (owner) => {
    const logs = createFunctionLogs(owner, systemClock, silentLog)
    const show = (rows: readonly StoredLog[]): void => {
      for (const row of rows) terminal.out(config.json ? jsonOf(row) : lineOf(row))
    }
    let rows = await logs.read(name, { limit })
    show(rows)
    let after = rows.at(-1)?.id ?? 0n
    while (follow) {
      await new Promise((done) => setTimeout(done, FOLLOW_MS))
      rows = await logs.read(name, { after, limit: 10_000 })
      show(rows)
      after = rows.at(-1)?.id ?? after
    }
  })

const jsonOf = ({ id, ...row }: StoredLog): string => JSON.stringify({ id: String(id), ...row })

const lineOf = ({ at, level, invocation, message }: StoredLog): string =>
  `${at.toISOString()} ${invocation.slice(0, 8)} ${level.padEnd(6)} ${message}`
