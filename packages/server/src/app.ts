/** The composition root of one app. It reads as the table of contents: what exists, and what is built from what. */
import type { AddressInfo } from 'node:net'
import type { Config } from './config/config.ts'
import { ensureDataDir, loadJwtSecret } from './config/secrets.ts'
import type { StartReport } from './config/start-report.ts'
import { type Database, openDatabase } from './db/open.ts'
import { createHttpServer } from './http/server.ts'
import { createIdentity } from './identity/identity.ts'
import { deriveKeys } from './identity/keys.ts'
import { TokenVerifier } from './identity/tokens.ts'
import type { Clock } from './kernel/clock.ts'
import type { Ids } from './kernel/ids.ts'
import type { RootLog } from './observe/log.ts'

/** What an app takes from outside besides its settings. */
export interface World {
  readonly log: RootLog
  readonly clock: Clock
  readonly ids: Ids
}

/** A running app. */
export interface App {
  readonly report: StartReport
  readonly database: Database
  /** Answers what is under way, closes every socket, stops the database. Safe to call twice. */
  stop(): Promise<void>
}

/** Starts everything and resolves once requests are served. Throws AppError with one line that says what to do. */
export const startApp = async (config: Config, world: World): Promise<App> => {
  const { log, clock, ids } = world
  await ensureDataDir(config.dataDir)
  const keys = await deriveKeys(config.jwtSecret ?? (await loadJwtSecret(config.dataDir, ids)))
  const database = await openDatabase({
    url: config.databaseUrl,
    dataDir: config.dataDir,
    prepare: config.prepare,
    log,
    ids,
  })
  const identity = createIdentity(keys, new TokenVerifier({ jwtSecret: keys.jwtSecret, clock }))
  void identity
  const http = createHttpServer({
    log,
    ids,
    trustedProxies: config.trustedProxies,
    bodyLimit: 10 * 1024 * 1024,
    dialects: [],
  })
  await http.listen({ host: config.host, port: config.port })
  const url = urlOf(config.host, http.server.address() as AddressInfo)
  return {
    database,
    report: {
      url,
      consoleUrl: null,
      databaseUrl: database.url,
      ...keys,
      wechatSandboxUrl: null,
      appId: null,
      serverSecret: null,
    },
    stop: async () => {
      await http.close()
      await database.stop()
    },
  }
}

/** The address for people: a wildcard is not one. */
const urlOf = (host: string, address: AddressInfo): string => {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${address.port}`
}
