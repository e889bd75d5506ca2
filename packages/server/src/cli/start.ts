/** `teahouse start`: runs the server until it is told to stop. */
import { networkInterfaces } from 'node:os'
import { type App, startApp } from '../app.ts'
import type { Config } from '../config/config.ts'
import { removeRunNote, writeRunNote } from '../config/run-file.ts'
import type { StartReport } from '../config/start-report.ts'
import { tablesWithoutPolicies } from '../db/prepare/exposed.ts'
import { systemClock } from '../kernel/clock.ts'
import { toError } from '../kernel/errors.ts'
import { randomIds } from '../kernel/ids.ts'
import { createLog, type RootLog } from '../observe/log.ts'
import type { Terminal } from './context.ts'

export const start = async (config: Config, terminal: Terminal): Promise<void> => {
  const log = createLog({ level: config.logLevel, stream: process.stderr })
  outliveItsOutput(log)
  const starting = startApp(config, { log, clock: systemClock, ids: randomIds })
  const shutdown = stopOnSignal(starting, config, log)
  if (process.env.npm_command !== undefined) stopWithLauncher(shutdown)
  const app = await starting
  if (shutdown.begun) return
  await warn(app, config, log)
  if (shutdown.begun) return
  await writeRunNote(config.dataDir, { ...app.report, pid: process.pid })
  if (config.json) terminal.out(JSON.stringify(app.report))
  else terminal.out(welcome(config, app.report))
}

/** Whoever read our output may be gone (a closed terminal, `| head`): that must not end the server. A fault that nobody caught must. */
const outliveItsOutput = (log: RootLog): void => {
  process.stdout.on('error', () => {})
  process.stderr.on('error', () => {})
  process.on('uncaughtException', (error) => {
    log.fatal({ error }, 'unexpected failure')
    process.exit(1)
  })
}

/** Names what the database lacks, and the tables that nothing protects. */
const warn = async ({ database }: App, config: Config, log: RootLog): Promise<void> => {
  for (const { what, consequence, sql } of database.shortcomings) log.warn({ sql }, `${what} ${consequence}`)
  try {
    for (const { schema, name } of await tablesWithoutPolicies(database.owner, config.api.schemas)) {
      log.warn(
        { table: `${schema}.${name}` },
        'everyone who holds the public key can use this table: row-level security is off',
      )
    }
  } catch (error) {
    log.warn({ error }, 'could not look for tables without row-level security')
  }
}

/** The way down, once. */
interface Shutdown {
  readonly begun: boolean
  begin(reason: string): Promise<void>
}

/** The first signal drains and exits 0, also when the start is still under way; a second one does not wait. */
const stopOnSignal = (starting: Promise<App>, config: Config, log: RootLog): Shutdown => {
  let begun = false
  const begin = async (reason: string): Promise<void> => {
    if (begun) process.exit(1)
    begun = true
    log.info({ reason }, 'stopping')
    try {
      const app = await starting
      // Before the data dir is free: the next server's note must not be the one that is removed.
      await removeRunNote(config.dataDir)
      await app.stop()
      process.exit(0)
    } catch (error) {
      log.error({ error: toError(error) }, 'stopping failed')
      process.exit(1)
    }
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, begin)
  return {
    get begun() {
      return begun
    },
    begin,
  }
}

/**
 * npm puts a shell between itself and the command, and that shell keeps a SIGTERM to itself: whoever stops `npx teahouse start` or `npm start`
 * would leave the server behind. So under npm, the end of the parent is a signal too.
 */
const stopWithLauncher = (shutdown: Shutdown): void => {
  const launcher = process.ppid
  const look = setInterval(() => {
    if (process.ppid === launcher) return
    clearInterval(look)
    if (!shutdown.begun) void shutdown.begin('npm ended')
  }, 250)
  look.unref()
}

/** For a person at a terminal: where it is, and what to put into an app. */
const welcome = (config: Config, report: StartReport): string => {
  const rows: readonly (readonly [string, string])[] = [
    ['URL', report.url],
    ...lanUrls(config, report).map((url) => ['LAN', url] as const),
    ['Database', report.databaseUrl],
    ['anon key', report.anonKey],
    ['service key', report.serviceKey],
    ['publishable key', report.publishableKey],
    ['secret key', report.secretKey],
    ...(report.wechatSandboxUrl === null ? [] : [['WeChat sandbox', report.wechatSandboxUrl] as const]),
    ...(report.appId === null ? [] : [['AppID', report.appId] as const]),
  ]
  return ['', '  Teahouse 茶馆 is open.', '', ...rows.map(([name, value]) => `  ${name.padEnd(16)} ${value}`), ''].join(
    '\n',
  )
}

/** The addresses at which other machines reach a server that listens on all of its own. */
const lanUrls = (config: Config, report: StartReport): readonly string[] => {
  if (config.host !== '0.0.0.0' && config.host !== '::') return []
  const { port } = new URL(report.url)
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => `http://${address}:${port}`)
}
