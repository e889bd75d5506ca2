/** The roles that requests run as and that existing Supabase scripts name. They belong to the cluster, so they are ensured at every start. */
import { AppError } from '../../kernel/errors.ts'
import { quoteIdent } from '../../sql/quote.ts'
import { frag, ident, join, keyword, sql, statement } from '../../sql/sql.ts'
import { databaseError, type Pool, type Queryable } from '../pool.ts'
import type { DatabaseProfile, Shortcoming } from './profile.ts'

/** Roles that a request may run as. */
export const REQUEST_ROLES = ['anon', 'authenticated', 'service_role'] as const

/** Names that Supabase's own dumps and scripts mention as owners or grantees. */
const NAMED_ROLES = [
  'supabase_admin',
  'supabase_auth_admin',
  'supabase_storage_admin',
  'dashboard_user',
  'postgres',
] as const

const ATTRIBUTES: Readonly<Record<string, string>> = {
  anon: 'nologin noinherit',
  authenticated: 'nologin noinherit',
  service_role: 'nologin noinherit',
  authenticator: 'login noinherit',
}

const rolesSql = (missing: readonly string[]): string =>
  missing.map((role) => `create role "${role}" ${ATTRIBUTES[role] ?? 'nologin'};`).join(' ')

const findMissingRoles = async (db: Queryable): Promise<readonly string[]> => {
  const wanted = [...REQUEST_ROLES, 'authenticator', ...NAMED_ROLES]
  const present = await db.many<{ rolname: string }>(sql('prepare.roles')`
    select rolname from pg_roles where rolname = any(${wanted}::text[])`)
  return wanted.filter((role) => !present.some((each) => each.rolname === role))
}

/** What is wrong with the roles, without changing any. */
export const roleShortcomings = async (db: Queryable, profile: DatabaseProfile): Promise<readonly Shortcoming[]> => {
  const required = (await findMissingRoles(db)).filter((role) => role in ATTRIBUTES)
  if (required.length > 0) return [rolesMissing(profile, required)]
  return (await serviceRoleBypasses(db)) ? [] : [noBypassRls(profile)]
}

/** Creates what is missing, where this login may. Answers what it could not do. Safe when several nodes start at once. */
export const ensureRoles = async (db: Pool, profile: DatabaseProfile): Promise<readonly Shortcoming[]> => {
  const missing = await findMissingRoles(db)
  if (missing.length > 0 && !profile.createRole) {
    const required = missing.filter((role) => role in ATTRIBUTES)
    if (required.length > 0) return [rolesMissing(profile, required)]
  } else {
    for (const role of missing) await createRole(db, role)
  }
  const shortcomings = await ensureBypassRls(db, profile)
  await ensureMemberships(db, profile)
  return shortcomings
}

const rolesMissing = (profile: DatabaseProfile, missing: readonly string[]): Shortcoming => ({
  id: 'roles',
  what: `The roles ${missing.join(', ')} do not exist, and "${profile.owner}" may not create roles.`,
  consequence: 'Requests have no role to run as.',
  sql: `${rolesSql(missing)} grant anon, authenticated, service_role to authenticator; grant anon, authenticated, service_role, authenticator to ${quoteIdent(profile.owner)}${profile.major >= 16 ? ' with admin option' : ''};`,
  fatal: true,
})

const createRole = async (db: Pool, role: string): Promise<void> => {
  const attributes = keyword(ATTRIBUTES[role] ?? 'nologin')
  try {
    await db.run(statement('prepare.create_role', frag`create role ${ident(role)} ${attributes}`))
  } catch (error) {
    if (!anotherWasFaster(error)) throw error
  }
}

/** Two nodes make the same global object at once: the second one hears that it exists, from a check (42710) or from the index (23505). */
export const anotherWasFaster = (error: unknown): boolean =>
  ['42710', '23505'].includes(databaseError(error)?.code ?? '')

const serviceRoleBypasses = async (db: Queryable): Promise<boolean> => {
  const row = await db.maybeOne<{ rolbypassrls: boolean }>(sql('prepare.bypass_rls')`
    select rolbypassrls from pg_roles where rolname = 'service_role'`)
  return row?.rolbypassrls ?? false
}

const ensureBypassRls = async (db: Pool, profile: DatabaseProfile): Promise<readonly Shortcoming[]> => {
  if (await serviceRoleBypasses(db)) return []
  if (profile.superuser || (profile.bypassRls && profile.createRole && profile.major >= 16)) {
    await calmly(() => db.run(sql('prepare.set_bypass_rls')`alter role service_role bypassrls`))
    return []
  }
  return [noBypassRls(profile)]
}

const noBypassRls = (profile: DatabaseProfile): Shortcoming => ({
  id: 'bypass_rls',
  what: 'The role service_role does not bypass row-level security.',
  consequence: `The service key runs as "${profile.owner}" instead: it bypasses policies on tables that this role owns, and no others.`,
  sql: 'alter role service_role bypassrls;',
  fatal: false,
})

/** The login roles must be able to become the request roles. */
const ensureMemberships = async (db: Pool, profile: DatabaseProfile): Promise<void> => {
  const roles = join(REQUEST_ROLES.map((role) => ident(role)))
  await calmly(() => db.run(statement('prepare.grant', frag`grant ${roles} to authenticator`)))
  if (profile.superuser) return
  // From 16 on, who created a role administers it but cannot become it until told so.
  const how = keyword(profile.major >= 16 ? 'with inherit true, set true' : '')
  await calmly(() => db.run(statement('prepare.grant_owner', frag`grant ${roles} to ${ident(profile.owner)} ${how}`)))
}

// Role catalogues are shared by the cluster and not versioned: two nodes that write them at once get XX000 "tuple concurrently updated".
// 42501: an administrator made the roles and keeps them; whether requests can run is checked by `canBecomeRequestRoles`.
const calmly = async (work: () => Promise<unknown>): Promise<void> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await work()
      return
    } catch (error) {
      const code = databaseError(error)?.code
      if (code === '42501') return
      if (code !== 'XX000' || attempt === 5) throw error
    }
  }
}

/** Throws when this login could not serve a request as each of the request roles. */
export const assertRequestRoles = async (db: Pool, login: string): Promise<void> => {
  const rows = await db.many<{ rolname: string }>(sql('prepare.request_roles')`
    select rolname from pg_roles
     where rolname = any(${[...REQUEST_ROLES]}::text[])
       and not pg_has_role(${login}, oid, 'member')`)
  if (rows.length === 0) return
  const names = rows.map((row) => row.rolname).join(', ')
  throw new AppError('unavailable', `The role "${login}" cannot become ${names}.`, {
    hint: `grant ${names} to ${quoteIdent(login)};`,
  })
}
