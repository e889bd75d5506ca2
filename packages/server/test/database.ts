/** Fresh, migrated databases for tests, cloned from the shared template. */
import pg from 'pg'
import { inject } from 'vitest'
import { Pool } from '../src/db/pool.ts'
import { readProfile } from '../src/db/prepare/profile.ts'
import { requestLogin } from '../src/db/prepare/request-login.ts'
import { randomIds } from '../src/kernel/ids.ts'
import { TEMPLATE, toClientConfig, withDatabase } from './shared-clusters.ts'

export type Major = '15' | '18'

export interface TestDatabase {
  /** As the database owner (a superuser). */
  readonly url: string
  readonly connection: pg.ClientConfig
  /** The owner's pool: migrations, catalogue, fixtures. */
  readonly owner: Pool
  /** The pool that requests run on: logs in as `authenticator`. */
  readonly requests: Pool
  /** Runs a script as the owner. */
  sql(text: string): Promise<void>
  drop(): Promise<void>
}

/** Clones the template. Call `drop` when done (in afterAll). */
export const createTestDatabase = async (version: Major = '18'): Promise<TestDatabase> => {
  const adminUrl = inject('clusters')[version]
  const name = `test_${randomIds.uuid().replaceAll('-', '')}`
  await asAdmin(adminUrl, `create database ${name} template ${TEMPLATE}`)
  await asAdmin(withDatabase(adminUrl, name), `alter database ${name} set search_path to "$user", public, extensions`)
  const url = withDatabase(adminUrl, name)
  const connection = toClientConfig(url)
  const owner = new Pool({ connection, max: 5, applicationName: 'test owner' })
  const login = await requestLogin(owner, await readProfile(owner), connection, { ids: randomIds, bypassRls: true })
  const requests = new Pool({ connection: login.connection, max: 5, applicationName: 'test requests' })
  return {
    url,
    connection,
    owner,
    requests,
    sql: async (text) => {
      await owner.script(text)
    },
    drop: async () => {
      await Promise.all([owner.end(), requests.end()])
      await dropDatabase(adminUrl, name)
    },
  }
}

/** Runs one statement on a connection of its own. */
export const asAdmin = async (url: string, text: string): Promise<pg.QueryResult> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await client.query(text)
  } finally {
    await client.end()
  }
}

const dropDatabase = async (adminUrl: string, name: string): Promise<void> => {
  // A slot keeps its database alive; one that is still streaming ends with its connection.
  await asAdmin(
    adminUrl,
    `select pg_terminate_backend(active_pid) from pg_replication_slots where database = '${name}' and active`,
  )
  const deadline = Date.now() + 10_000
  for (;;) {
    try {
      await asAdmin(
        adminUrl,
        `select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = '${name}'`,
      )
      await asAdmin(adminUrl, `drop database if exists ${name} with (force)`)
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}
