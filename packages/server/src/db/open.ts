/** The one database of the app: the embedded server or the operator's own, prepared, with a pool for the owner and one for requests. */
import type pg from 'pg'
import { AppError } from '../kernel/errors.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Log } from '../observe/log.ts'
import { connectionOf, placeOf } from './connection-url.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded/embedded.ts'
import { type FolderLock, lockFolder } from './embedded/lock.ts'
import { Pool, ping, reasonOf } from './pool.ts'
import { prepareDatabase } from './prepare/prepare.ts'
import type { DatabaseProfile, Shortcoming } from './prepare/profile.ts'

export interface DatabaseOptions {
  /** Null for the embedded server below `dataDir`. */
  readonly url: string | null
  readonly dataDir: string
  readonly prepare: boolean
  readonly log: Log
  readonly ids: Ids
}

export interface Database {
  /** Migrations, catalogue, everything that the product does for itself. */
  readonly owner: Pool
  /** Requests: a login that owns nothing, changing to the caller's role. */
  readonly requests: Pool
  /** How the owner connects; the change feed needs a connection of its own kind. */
  readonly connection: pg.ClientConfig
  /** For people and scripts. */
  readonly url: string
  readonly profile: DatabaseProfile
  readonly shortcomings: readonly Shortcoming[]
  stop(): Promise<void>
}

// One request occupies a connection for about 0.2 ms of work; ten keep two cores busy with room for slow ones.
const REQUEST_CONNECTIONS = 10
const OWNER_CONNECTIONS = 5

/** Starts or reaches the database and prepares it. Throws AppError with a line that says what to do. */
export const openDatabase = async (options: DatabaseOptions): Promise<Database> => {
  const server = options.url === null ? await embeddedServer(options) : await externalServer(options, options.url)
  const { connection, url } = server
  const owner = makePool(options, connection, { max: OWNER_CONNECTIONS, applicationName: 'teahouse' })
  try {
    if (options.url !== null) await reach(owner, options.url)
    const prepared = await prepareDatabase(owner, connection, options.ids)
    const requests = makePool(options, prepared.login.connection, {
      max: REQUEST_CONNECTIONS,
      applicationName: 'teahouse requests',
      serviceRole: prepared.login.serviceRole,
    })
    const { profile, shortcomings } = prepared
    const stop = () => stopAll([owner, requests], server)
    return { owner, requests, connection, url, profile, shortcomings, stop }
  } catch (error) {
    await stopAll([owner], server)
    throw error
  }
}

/** A PostgreSQL server, and the hold on the data dir that goes with it. */
interface Server {
  readonly connection: pg.ClientConfig
  readonly url: string
  readonly stop: () => Promise<void>
}

const embeddedServer = async ({ dataDir, log }: DatabaseOptions): Promise<Server> => {
  const embedded: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir, log: plainLog(log) })
  return { connection: embedded.connection, url: embedded.ownerUrl, stop: () => embedded.stop() }
}

/** The embedded server locks the data dir by itself; with another database, files and keys in it still have one owner. */
const externalServer = async ({ dataDir }: DatabaseOptions, url: string): Promise<Server> => {
  const connection = connectionOf(url)
  const lock: FolderLock = await lockFolder(dataDir)
  return { connection, url, stop: () => lock.release() }
}

/** Asks once, so that a wrong address or password is told as what it is. */
const reach = async (owner: Pool, url: string): Promise<void> => {
  try {
    await owner.run(ping)
  } catch (error) {
    throw new AppError('unavailable', `The database ${placeOf(url)} cannot be reached: ${reasonOf(error)}`, {
      cause: error,
    })
  }
}

/** The embedded server logs plain lines. */
const plainLog = (log: Log) => ({
  info: (message: string) => log.info({}, message),
  warn: (message: string) => log.warn({}, message),
  error: (message: string) => log.error({}, message),
})

type PoolShape = Pick<ConstructorParameters<typeof Pool>[0], 'max' | 'applicationName' | 'serviceRole'>

const makePool = ({ prepare, log }: DatabaseOptions, connection: pg.ClientConfig, shape: PoolShape): Pool =>
  new Pool({
    ...shape,
    connection,
    prepare,
    onIdleError: (error) => log.warn({ error: error.message }, 'a database connection was lost while idle'),
  })

const stopAll = async (pools: readonly Pool[], server: Server): Promise<void> => {
  try {
    await Promise.all(pools.map((pool) => pool.end()))
  } finally {
    await server.stop()
  }
}
