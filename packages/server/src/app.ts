/** The composition root of one app. It reads as the table of contents: what exists, and what is built from what. */
import { createHmac } from 'node:crypto'
import { join } from 'node:path'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Bus } from './bus/bus.ts'
import type { Config } from './config/config.ts'
import { ensureDataDir, loadJwtSecret } from './config/secrets.ts'
import type { StartReport } from './config/start-report.ts'
import { CatalogService } from './db/catalog/service.ts'
import { type Database, openDatabase } from './db/open.ts'
import { ping } from './db/pool.ts'
import { changeSourceOf } from './db/prepare/profile.ts'
import { type Development, startDevelopment } from './development.ts'
import { meantPath } from './dialects/cloud/client/auth.ts'
import { cloudErrors } from './dialects/cloud/cloud.ts'
import type { WatchSurface } from './dialects/cloud/watch/watch.ts'
import { authDialect, sendAuthError } from './dialects/supabase/auth/auth.ts'
import { deviceOf } from './dialects/supabase/auth/context.ts'
import { sendFunctionError } from './dialects/supabase/functions/errors.ts'
import { functionsDialect } from './dialects/supabase/functions/functions.ts'
import { type RealtimeDialect, realtimeDialect } from './dialects/supabase/realtime/index.ts'
import { restDialect, sendRestError } from './dialects/supabase/rest/plugin.ts'
import type { S3Credentials } from './dialects/supabase/storage/context.ts'
import { sendStorageError } from './dialects/supabase/storage/errors.ts'
import { sendS3Error } from './dialects/supabase/storage/s3/routes.ts'
import { storageDialect } from './dialects/supabase/storage/storage.ts'
import type { BlobStore } from './files/blob-store.ts'
import { createFiles, type Files } from './files/files.ts'
import { createUrlSigner } from './files/signing.ts'
import { createDiskStore } from './files/stores/disk.ts'
import { createS3Store } from './files/stores/s3.ts'
import { authenticated, type IdentityFor, supabaseProofs } from './http/caller.ts'
import { createExternalUrl } from './http/external-url.ts'
import { registerHealth } from './http/health.ts'
import { listen } from './http/listen.ts'
import { limitRequestCost, REQUEST_WINDOW_SECONDS } from './http/request-cost.ts'
import { createHttpServer, type DialectErrors } from './http/server.ts'
import { createServiceKeyGuard, type ServiceKeyGuard } from './http/service-key-guard.ts'
import type { Auth } from './identity/auth.ts'
import { type AppKeys, deriveKeys } from './identity/keys.ts'
import type { Service } from './kernel/service.ts'
import { createLiveServices, type LiveServices } from './live/open.ts'
import { openAuth } from './open-auth.ts'
import { openBus } from './open-bus.ts'
import { type Cloud, cloudSurfaces, openCloud, openWatch } from './open-cloud.ts'
import { openIdentities } from './open-identity.ts'
import { SocketServer } from './sockets/server.ts'
import type { World } from './world.ts'

/** A running app. */
export interface App {
  readonly report: StartReport
  readonly database: Database
  /** Every route, in the order in which they were made. */
  readonly routes: readonly Route[]
  /** Answers what is under way, closes every socket, stops the database. Safe to call twice. */
  stop(): Promise<void>
}

export interface Route {
  readonly method: string
  readonly url: string
}

/** Everything below the dialects. */
interface Services {
  readonly config: Config
  readonly keys: AppKeys
  /** Of secrets that are being replaced. */
  readonly previous: readonly AppKeys[]
  readonly identityFor: IdentityFor
  readonly restIdentityFor: IdentityFor
  readonly guardServiceKey: ServiceKeyGuard
  readonly auth: Auth
  readonly database: Database
  readonly catalog: CatalogService
  readonly files: Files
  readonly cloud: Cloud
  readonly watch: WatchSurface
  readonly live: LiveServices
  readonly realtime: RealtimeDialect
}

/** Starts everything and resolves once requests are served. Throws AppError with one line that says what to do. */
export const startApp = async (config: Config, world: World): Promise<App> => {
  await ensureDataDir(config.dataDir)
  const keys = await deriveKeys(config.jwtSecret ?? (await loadJwtSecret(config.dataDir, world.ids)))
  const previous = await Promise.all(config.previousJwtSecrets.map(deriveKeys))
  const database = await openDatabase({ ...config, url: config.databaseUrl, ...world })
  const running: Service[] = []
  const stop = () => stopAll(running, database)
  try {
    const development = await startDevelopment(config, world)
    running.push({ start: async () => {}, stop: () => development.stop() })
    // A server on a free port learns its address last.
    const address = { url: config.externalUrl ?? `http://${config.host}:${config.port}`, local: '' }
    const auth = await openAuth(
      { config, jwtSecret: keys.jwtSecret, db: database.owner, development, externalUrl: () => address.url },
      world,
    )
    const secrets = [keys, ...previous].map(({ jwtSecret }) => jwtSecret)
    const { bus, nodes } = await openBus(config, database, secrets, world)
    for (const service of [bus, nodes]) {
      running.push(service)
      await service.start()
    }
    const services = createServices({ config, keys, previous, database, auth, bus, address }, world)
    for (const service of [services.catalog, services.files, services.live, services.cloud.service, auth]) {
      running.push(service)
      await service.start()
    }
    const routes: Route[] = []
    const http = await createHttp(services, world, routes)
    running.push({ start: async () => {}, stop: () => http.close() })
    const sockets = new SocketServer({ clock: world.clock })
    sockets.route(services.realtime.upgrade)
    sockets.route(services.watch.upgrade)
    running.push({ start: async () => {}, stop: async () => services.watch.stop() })
    sockets.listen(http.server)
    running.push({ start: async () => {}, stop: () => sockets.stop() })
    const url = await listen(http, config)
    address.url = config.externalUrl ?? url
    world.log.info({ changes: services.live.feed.source, bus: bus.kind, node: bus.node }, 'serving')
    address.local = url.replace(/\/\/(0\.0\.0\.0|\[::\])(?=:)/, '//127.0.0.1')
    return { database, routes, report: reportOf({ url, database, keys, development }), stop: once(stop) }
  } catch (error) {
    await stop()
    throw error
  }
}

const createServices = (
  {
    config,
    keys,
    previous,
    database,
    auth,
    bus,
    address,
  }: Pick<Services, 'config' | 'keys' | 'previous' | 'database' | 'auth'> & {
    readonly bus: Bus
    readonly address: { readonly local: string }
  },
  { log, clock, ids }: World,
): Services => {
  const { owner, requests, connection } = database
  const catalog = new CatalogService({
    pool: owner,
    connection,
    clock,
    onError: (error) => log.warn({ error: error.message }, 'the schema could not be read; trying again'),
  })
  const files = createFiles({
    requests,
    owner,
    store: storeOf(config),
    clock,
    ids,
    log,
    fileSizeLimit: config.storage.fileSizeLimit,
  })
  const { identity, identityFor, restIdentityFor } = openIdentities(
    { config, keys, previous, auth, catalog },
    { clock, log },
  )
  const live = createLiveServices({
    owner,
    requests,
    connection,
    catalog,
    bus,
    source: changeSourceOf(database.profile),
    clock,
    ids,
    onError: (error) => log.warn({ error: error.message }, 'the change feed was disturbed; trying again'),
  })
  const secret = derivedSecret(keys.jwtSecret, 'function credentials')
  const cloud = openCloud(
    { config, database, catalog, auth, secret, localUrl: () => address.local },
    { log, clock, ids },
  )
  const watchSecret = derivedSecret(keys.jwtSecret, 'watch')
  const watch = openWatch({ cloud, live, catalog, identity, secret: watchSecret }, { log, clock, ids })
  const guardServiceKey = createServiceKeyGuard({ log, clock })
  const realtime = realtimeDialect({ ...live, identity, identityFor, guardServiceKey, clock, ids, log })
  const identities = { identityFor, restIdentityFor, guardServiceKey }
  return { config, keys, previous, ...identities, auth, database, catalog, files, cloud, watch, live, realtime }
}

const storeOf = ({ storage, dataDir }: Config): BlobStore =>
  storage.s3 === null ? createDiskStore({ folder: join(dataDir, 'files') }) : createS3Store(storage.s3)

/** What each dialect says when a request fails before one of its routes was found. */
const dialectErrors = ({ realtime }: Services): readonly DialectErrors[] => [
  { prefix: '/auth/v1', send: sendAuthError },
  { prefix: '/rest/v1', send: sendRestError },
  { prefix: '/storage/v1/s3', send: sendS3Error },
  { prefix: '/storage/v1', send: sendStorageError },
  { prefix: '/functions/v1', send: sendFunctionError },
  ...cloudErrors,
  realtime.errors,
]

/** What `/auth/v1/health` names; the same as in package.json. */
const VERSION = '0.1.0'

/** Bytes of an ordinary request body. */
const BODY_LIMIT = 10 * 1024 * 1024

const createHttp = async (services: Services, world: World, routes: Route[]): Promise<FastifyInstance> => {
  const { config, identityFor, restIdentityFor, guardServiceKey, auth, files, cloud, database, catalog, realtime } =
    services
  const { log, clock, ids } = world
  const http = createHttpServer({
    log,
    ids,
    trustedProxies: config.trustedProxies,
    bodyLimit: BODY_LIMIT,
    dialects: dialectErrors(services),
    meantPath,
  })
  http.addHook('onRoute', ({ method, url }) => {
    for (const each of Array.isArray(method) ? method : [method]) routes.push({ method: each, url })
  })
  registerHealth(http, { check: () => database.requests.run(ping), loaded: () => catalog.current })
  const signer = createUrlSigner({ secret: derivedSecret(services.keys.jwtSecret, 'signed urls'), clock })
  const externalUrl = createExternalUrl({ trustedProxies: config.trustedProxies, configured: config.externalUrl })
  const noteCaller = (request: FastifyRequest): void => {
    guardServiceKey(request)
    auth.seen.note(request.caller.userId, deviceOf(request))
  }
  const limitCost = limitRequestCost({ points: config.requestLimit, seconds: REQUEST_WINDOW_SECONDS })
  // On its own: a hook of a parent reaches all children, and most of these routes give out the tokens that the others ask for.
  await http.register(
    async (accounts) => {
      accounts.addHook('onRequest', limitCost)
      await accounts.register(authDialect({ auth, identityFor, guardServiceKey, version: VERSION }))
    },
    { prefix: '/auth/v1' },
  )
  // On its own as well: the database's configuration may name further keys that it trusts.
  await http.register(
    async (rest) => {
      rest.addHook('onRequest', limitCost)
      rest.addHook('onRequest', authenticated(restIdentityFor, supabaseProofs, noteCaller))
      await rest.register(restDialect({ pool: database.requests, catalog, config: config.api }))
    },
    { prefix: '/rest/v1' },
  )
  await http.register(async (supabase) => {
    supabase.addHook('onRequest', limitCost)
    supabase.addHook('onRequest', authenticated(identityFor, supabaseProofs, noteCaller))
    await supabase.register(
      storageDialect({ files, signer, clock, externalUrl, s3Credentials: s3CredentialsOf(services) }),
      { prefix: '/storage/v1' },
    )
    await supabase.register(functionsDialect({ functions: cloud.functions, externalUrl }), { prefix: '/functions/v1' })
    await supabase.register(realtime.plugin, { prefix: '/realtime/v1' })
  })
  await http.register(async (surfaces) => {
    surfaces.addHook('onRequest', limitCost)
    const { keys } = services
    await surfaces.register(
      cloudSurfaces(
        { cloud, watch: services.watch, files, signer, auth, keys, externalUrl, identityFor, noteCaller },
        world,
      ),
    )
  })
  return http
}

/** The operator's opaque keys sign for the service; a user signs with the public key, and their token says who they are. */
const s3CredentialsOf =
  ({ keys, identityFor }: Services): S3Credentials =>
  async (accessKeyId, sessionToken, request) => {
    if (sessionToken !== undefined) {
      return { secret: keys.anonKey, caller: await identityFor(request).authenticateToken(sessionToken) }
    }
    if (accessKeyId !== keys.publishableKey) return null
    return { secret: keys.secretKey, caller: await identityFor(request).authenticateKey(keys.secretKey) }
  }

/** A secret for one purpose, so that nothing signed for it passes elsewhere. */
const derivedSecret = (jwtSecret: string, purpose: string): string =>
  createHmac('sha256', jwtSecret).update(purpose).digest('base64url')

interface Reported {
  readonly url: string
  readonly database: Database
  readonly keys: AppKeys
  readonly development: Development
}

const reportOf = ({ url, database, keys, development }: Reported): StartReport => ({
  url,
  consoleUrl: null,
  databaseUrl: database.url,
  ...keys,
  wechatSandboxUrl: development.sandboxUrl,
  appId: development.wechat?.appid ?? null,
  serverSecret: null,
})

/** In reverse order of starting: what is asked from outside first, the database last. */
const stopAll = async (running: Service[], database: Database): Promise<void> => {
  try {
    for (const service of running.splice(0).reverse()) await service.stop()
  } finally {
    await database.stop()
  }
}

const once = (work: () => Promise<void>): (() => Promise<void>) => {
  let done: Promise<void> | null = null
  return () => {
    done ??= work()
    return done
  }
}
