/** The login that requests come through: `authenticator`, which owns nothing, so that code running inside a request cannot climb back to the owner. */
import type pg from 'pg'
import type { Ids } from '../../kernel/ids.ts'
import { frag, literal, sql, statement } from '../../sql/sql.ts'
import { Pool, ping, type Queryable } from '../pool.ts'
import type { DatabaseProfile, Shortcoming } from './profile.ts'

export interface RequestLogin {
  readonly connection: pg.ClientConfig
  /** The role that runs what the service key asks for. */
  readonly serviceRole: string
  readonly shortcomings: readonly Shortcoming[]
}

/** Decides how requests log in, making and keeping a password for `authenticator` where this login may. */
export const requestLogin = async (
  owner: Pool,
  profile: DatabaseProfile,
  connection: pg.ClientConfig,
  options: { readonly ids: Ids; readonly bypassRls: boolean },
): Promise<RequestLogin> => {
  const asOwner = { connection, serviceRole: options.bypassRls ? 'service_role' : profile.owner }
  // Running the service key as the owner needs the owner's login: from 16 on nobody can hand out membership in themselves.
  if (!options.bypassRls) return { ...asOwner, shortcomings: [] }
  const known = await storedPassword(owner)
  if (known !== null && (await canLogIn(connection, known))) return asAuthenticator(connection, known)
  if (profile.createRole) {
    const password = await renewPassword(owner, known, options.ids.secret(24))
    if (await canLogIn(connection, password)) return asAuthenticator(connection, password)
  }
  return { ...asOwner, shortcomings: [cannotLogIn(profile)] }
}

const asAuthenticator = (connection: pg.ClientConfig, password: string): RequestLogin => ({
  connection: { ...connection, user: 'authenticator', password },
  serviceRole: 'service_role',
  shortcomings: [],
})

const cannotLogIn = (profile: DatabaseProfile): Shortcoming => ({
  id: 'request_login',
  what: 'The role authenticator cannot log in here.',
  consequence: `Requests log in as "${profile.owner}" and change to their role from there.`,
  sql: 'alter role authenticator login;',
  fatal: false,
})

const storedPassword = async (db: Queryable): Promise<string | null> => {
  const row = await db.maybeOne<{ value: string }>(sql('prepare.password')`
    select value #>> '{}' as value from teahouse.setting where key = 'authenticator_password'`)
  return row?.value ?? null
}

/** Sets a new password unless another node did so meanwhile; answers the one in force. */
const renewPassword = async (owner: Pool, known: string | null, password: string): Promise<string> =>
  owner.transaction(async (tx) => {
    await tx.run(sql('prepare.password_lock')`select pg_advisory_xact_lock(7237101, 2)`)
    const current = await storedPassword(tx)
    if (current !== null && current !== known) return current
    await tx.run(statement('prepare.set_password', frag`alter role authenticator password ${literal(password)}`))
    await tx.run(sql('prepare.keep_password')`
      insert into teahouse.setting (key, value)
      values ('authenticator_password', to_jsonb(${password}::text))
      on conflict (key) do update set value = excluded.value, updated_at = now()`)
    return password
  })

const canLogIn = async (connection: pg.ClientConfig, password: string): Promise<boolean> => {
  const pool = new Pool({
    connection: { ...connection, user: 'authenticator', password },
    max: 1,
    applicationName: 'teahouse probe',
  })
  try {
    await pool.run(ping)
    return true
  } catch {
    return false
  } finally {
    await pool.end()
  }
}
