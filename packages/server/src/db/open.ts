/** The one database of the app: the embedded server or the operator's own, prepared, with a pool for the owner and one for requests. */
import type pg from 'pg'
import { AppError } from '../kernel/errors.ts'
import type { Ids } from '../kernel/ids.ts'
import type { Log } from '../observe/log.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded/embedded.ts'
import { Pool } from './pool.ts'
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
  const embedded =
    options.url === null ? await startEmbeddedPostgres({ dataDir: options.dataDir, log: plainLog(options.log) }) : null
  const url = embedded?.ownerUrl ?? options.url ?? ''
  const connection = embedded === null ? connectionOf(url) : embedded.connection
  const owner = makePool(options, connection, { max: OWNER_CONNECTIONS, applicationName: 'teahouse' })
  try {
    const prepared = await prepareDatabase(owner, connection, options.ids)
    const requests = makePool(options, prepared.login.connection, {
      max: REQUEST_CONNECTIONS,
      applicationName: 'teahouse requests',
      serviceRole: prepared.login.serviceRole,
    })
    const { profile, shortcomings } = prepared
    const stop = () => stopAll([owner, requests], embedded)
    return { owner, requests, connection, url, profile, shortcomings, stop }
  } catch (error) {
    await stopAll([owner], embedded)
    throw error
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

const stopAll = async (pools: readonly Pool[], embedded: EmbeddedPostgres | null): Promise<void> => {
  await Promise.all(pools.map((pool) => pool.end()))
  await embedded?.stop()
}

/** A URL in pg's parts, so that another login can take the place of user and password. */
const connectionOf = (text: string): pg.ClientConfig => {
  const url = new URL(text)
  const ssl = url.searchParams.get('sslmode')
  if (url.pathname.length < 2) throw new AppError('bad_request', 'the database URL names no database')
  return {
    host: decodeURIComponent(url.searchParams.get('host') ?? url.hostname),
    port: url.port === '' ? 5432 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
    ...(ssl === null || ssl === 'disable'
      ? {}
      : { ssl: { rejectUnauthorized: ssl === 'verify-full' || ssl === 'verify-ca' } }),
  }
}
