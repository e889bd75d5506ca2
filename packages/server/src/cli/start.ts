/** `teahouse start`: runs the server until it is told to stop. */
import { networkInterfaces } from 'node:os'
import { type App, startApp } from '../app.ts'
import type { Config } from '../config/config.ts'
import { removeRunNote, writeRunNote } from '../config/run-file.ts'
import type { StartReport } from '../config/start-report.ts'
import { systemClock } from '../kernel/clock.ts'
import { toError } from '../kernel/errors.ts'
import { randomIds } from '../kernel/ids.ts'
import { createLog, type RootLog } from '../observe/log.ts'
import type { Terminal } from './context.ts'

export const start = async (config: Config, terminal: Terminal): Promise<void> => {
  const log = createLog({ level: config.logLevel, stream: process.stderr })
  const app = await startApp(config, { log, clock: systemClock, ids: randomIds })
  await writeRunNote(config.dataDir, { ...app.report, pid: process.pid })
  stopOnSignal(app, config, log)
  if (config.json) terminal.out(JSON.stringify(app.report))
  else terminal.out(welcome(config, app.report))
}

/** The first signal drains and exits 0; a second one does not wait. */
const stopOnSignal = (app: App, config: Config, log: RootLog): void => {
  let stopping = false
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(1)
    stopping = true
    log.info({ signal }, 'stopping')
    app
      .stop()
      .then(() => removeRunNote(config.dataDir))
      .then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ error: toError(error) }, 'stopping failed')
          process.exit(1)
        },
      )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
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
