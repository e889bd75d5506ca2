/** A realtime server on a test database: the dialect, the sockets and the live services as the app wires them, without the rest of the app. */
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import { SignJWT } from 'jose'
import { createLocalBus } from '../src/bus/local.ts'
import { CatalogService } from '../src/db/catalog/service.ts'
import { realtimeDialect } from '../src/dialects/supabase/realtime/index.ts'
import type { RealtimeLimits } from '../src/dialects/supabase/realtime/limits.ts'
import { authenticated, supabaseProofs } from '../src/http/caller.ts'
import { createIdentity } from '../src/identity/identity.ts'
import { type AppKeys, deriveKeys } from '../src/identity/keys.ts'
import { TokenVerifier } from '../src/identity/tokens.ts'
import { type Clock, systemClock } from '../src/kernel/clock.ts'
import { randomIds } from '../src/kernel/ids.ts'
import type { JsonObject } from '../src/kernel/json.ts'
import { createLiveServices, type LiveServices } from '../src/live/open.ts'
import type { Log } from '../src/observe/log.ts'
import type { QueueLimits } from '../src/sockets/connection.ts'
import { SocketServer } from '../src/sockets/server.ts'
import type { TestDatabase } from './database.ts'

export interface RealtimeServer {
  /** `http://127.0.0.1:port`. */
  readonly url: string
  readonly keys: AppKeys
  readonly services: LiveServices
  readonly catalog: CatalogService
  readonly sockets: SocketServer
  /** Everything that was reported to `onError` and the log's warnings. */
  readonly errors: string[]
  token(claims: Record<string, unknown>, expiresIn?: number): Promise<string>
  /** Takes the proofs of a user or a session away, as a ban or a logout does. */
  revoke(subject: string): void
  stop(): Promise<void>
}

export interface RealtimeServerOptions {
  readonly clock?: Clock
  readonly limits?: Partial<RealtimeLimits>
  readonly queue?: QueueLimits
  readonly idleMs?: number
}

const SECRET = 'a secret for tests that is long enough for HS256'

export const startRealtimeServer = async (
  database: TestDatabase,
  options: RealtimeServerOptions = {},
): Promise<RealtimeServer> => {
  const { clock = systemClock } = options
  const errors: string[] = []
  const onError = (error: Error) => errors.push(error.message)
  const keys = await deriveKeys(SECRET)
  const revoked = new Set<string>()
  const listeners = new Set<(subject: string) => void>()
  const isRevoked = (subject: unknown) => typeof subject === 'string' && revoked.has(subject)
  const revokedBy = (claims: JsonObject) =>
    isRevoked(claims.session_id) ? 'session' : isRevoked(claims.sub) ? 'user' : null
  const verifier = new TokenVerifier({ jwtSecret: SECRET, clock, revokedBy })
  const identity = createIdentity(keys, verifier, {
    onRevoked: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  })
  const { owner, requests, connection } = database
  const catalog = new CatalogService({ pool: owner, connection, clock, onError })
  await catalog.start()
  const services = createLiveServices({
    owner,
    requests,
    connection,
    catalog,
    clock,
    onError,
    ids: randomIds,
    bus: createLocalBus(() => {}),
  })
  await services.start()
  const dialect = realtimeDialect({
    ...services,
    identity,
    clock,
    ids: randomIds,
    log: collectingLog(errors),
    ...(options.limits && { limits: options.limits }),
  })
  const sockets = new SocketServer({
    clock,
    ...(options.queue && { limits: options.queue }),
    ...(options.idleMs && { idleMs: options.idleMs }),
  })
  sockets.route(dialect.upgrade)
  const http = fastify()
  await http.register(async (app) => {
    app.addHook('onRequest', authenticated(identity, supabaseProofs))
    await app.register(dialect.plugin, { prefix: '/realtime/v1' })
  })
  sockets.listen(http.server)
  await http.listen({ host: '127.0.0.1', port: 0 })
  await services.feed.ready()
  // An address of a listening TCP server is never a string or null.
  const { port } = http.server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    keys,
    services,
    catalog,
    sockets,
    errors,
    token: (claims, expiresIn = 3600) => sign(claims, Math.floor(clock.now() / 1000) + expiresIn),
    revoke: (subject) => {
      revoked.add(subject)
      for (const listener of listeners) listener(subject)
    },
    stop: async () => {
      await sockets.stop()
      await http.close()
      dialect.stop()
      await services.stop()
      await catalog.stop()
    },
  }
}

const sign = (claims: Record<string, unknown>, expiresAt: number): Promise<string> =>
  new SignJWT({ role: 'authenticated', aud: 'authenticated', ...claims })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setExpirationTime(expiresAt)
    .sign(new TextEncoder().encode(SECRET))

const collectingLog = (errors: string[]): Log => {
  const log: Log = {
    debug: () => {},
    info: () => {},
    warn: (fields, message) => errors.push(`${message} ${JSON.stringify(fields)}`),
    error: (fields, message) => errors.push(`${message} ${JSON.stringify(fields)}`),
    child: () => log,
  }
  return log
}

/** Waits until `look` answers something; fails with what it saw last. No sleeping longer than a few milliseconds at a time. */
export const eventually = async <T>(
  look: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  what: string,
  ms = 10_000,
): Promise<T> => {
  const deadline = Date.now() + ms
  for (;;) {
    const found = await look()
    if (found) return found
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
