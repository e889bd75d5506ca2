/** Statements on auth.users and auth.identities. */
import type { JsonObject } from '../kernel/json.ts'
import { empty, type Fragment, frag, ident, join, type Statement, sql, statement } from '../sql/sql.ts'
import type { UserChanges } from './user.ts'

const identities = frag`coalesce((
  select jsonb_agg(jsonb_build_object(
           'identityId', i.id,
           'providerId', i.provider_id,
           'userId', i.user_id,
           'provider', i.provider,
           'data', i.identity_data,
           'email', i.email,
           'appid', i.appid,
           'openid', i.openid,
           'unionid', i.unionid,
           'lastSignInAt', i.last_sign_in_at,
           'createdAt', i.created_at,
           'updatedAt', i.updated_at) order by i.created_at, i.id)
    from auth.identities as i
   where i.user_id = u.id), '[]')`

const factors = frag`coalesce((
  select jsonb_agg(jsonb_build_object(
           'id', f.id,
           'friendlyName', f.friendly_name,
           'type', f.factor_type,
           'status', f.status,
           'phone', f.phone,
           'createdAt', f.created_at,
           'updatedAt', f.updated_at) order by f.created_at, f.id)
    from auth.mfa_factors as f
   where f.user_id = u.id), '[]')`

const columns = frag`
  u.id, coalesce(u.aud, 'authenticated') as aud, coalesce(u.role, 'authenticated') as role, u.email, u.phone,
  u.encrypted_password as "passwordHash", u.email_confirmed_at as "emailConfirmedAt",
  u.phone_confirmed_at as "phoneConfirmedAt", u.confirmed_at as "confirmedAt", u.invited_at as "invitedAt",
  u.confirmation_sent_at as "confirmationSentAt", u.recovery_sent_at as "recoverySentAt",
  nullif(u.email_change, '') as "emailChange", u.email_change_sent_at as "emailChangeSentAt",
  u.email_change_confirm_status as "emailChangeConfirmStatus",
  nullif(u.phone_change, '') as "phoneChange", u.phone_change_sent_at as "phoneChangeSentAt",
  u.reauthentication_sent_at as "reauthenticationSentAt", u.last_sign_in_at as "lastSignInAt",
  coalesce(u.raw_app_meta_data, '{}') as "appMetadata", coalesce(u.raw_user_meta_data, '{}') as "userMetadata",
  u.banned_until as "bannedUntil", u.deleted_at as "deletedAt", u.is_anonymous as "isAnonymous",
  u.is_sso_user as "isSsoUser", u.created_at as "createdAt", u.updated_at as "updatedAt",
  ${identities} as identities, ${factors} as factors`

const selectUser = (name: string, where: Fragment): Statement =>
  statement(name, frag`select ${columns} from auth.users as u where ${where}`)

export const findUser = (id: string): Statement => selectUser('auth.find_user', frag`u.id = ${id}::uuid`)

export const findUserByEmail = (email: string): Statement =>
  selectUser('auth.find_user_by_email', frag`lower(u.email) = ${email} and not u.is_sso_user`)

export const findUserByPhone = (phone: string): Statement =>
  selectUser('auth.find_user_by_phone', frag`u.phone = ${phone}`)

/** The users whose mailbox a provider vouched for: by their own address or by that of an identity. */
export const findUsersByEmails = (emails: readonly string[]): Statement =>
  selectUser(
    'auth.find_users_by_emails',
    frag`lower(u.email) = any(${emails}::text[]) and not u.is_sso_user order by u.created_at limit 2`,
  )

export const findUserByIdentity = (provider: string, providerId: string): Statement =>
  selectUser(
    'auth.find_user_by_identity',
    frag`u.id = (select i.user_id
                   from auth.identities as i
                  where i.provider = ${provider}
                    and i.provider_id = ${providerId})`,
  )

export const findUserByOpenid = (appid: string, openid: string): Statement =>
  selectUser(
    'auth.find_user_by_openid',
    frag`u.id = (select i.user_id from auth.identities as i where i.appid = ${appid} and i.openid = ${openid})`,
  )

export const findUserByUnionid = (unionid: string): Statement =>
  selectUser(
    'auth.find_user_by_unionid',
    frag`u.id = (select i.user_id
                   from auth.identities as i
                  where i.unionid = ${unionid}
                  order by i.created_at
                  limit 1)`,
  )

/** Keeps others from changing the user until the transaction ends. */
export const lockUser = (id: string): Statement => sql('auth.lock_user')`
  select id from auth.users where id = ${id}::uuid for update`

const FIELDS: Readonly<Record<keyof UserChanges, string>> = {
  role: 'role',
  email: 'email',
  phone: 'phone',
  passwordHash: 'encrypted_password',
  emailConfirmedAt: 'email_confirmed_at',
  phoneConfirmedAt: 'phone_confirmed_at',
  invitedAt: 'invited_at',
  confirmationSentAt: 'confirmation_sent_at',
  recoverySentAt: 'recovery_sent_at',
  emailChange: 'email_change',
  emailChangeSentAt: 'email_change_sent_at',
  emailChangeConfirmStatus: 'email_change_confirm_status',
  phoneChange: 'phone_change',
  phoneChangeSentAt: 'phone_change_sent_at',
  reauthenticationSentAt: 'reauthentication_sent_at',
  lastSignInAt: 'last_sign_in_at',
  appMetadata: 'raw_app_meta_data',
  userMetadata: 'raw_user_meta_data',
  bannedUntil: 'banned_until',
  deletedAt: 'deleted_at',
  isAnonymous: 'is_anonymous',
}

/** The columns that are written, and their values. */
const assignments = (changes: UserChanges): readonly (readonly [Fragment, Fragment])[] =>
  Object.entries(FIELDS)
    .filter(([field]) => changes[field as keyof UserChanges] !== undefined)
    .map(([field, column]) => [ident(column), frag`${changes[field as keyof UserChanges] ?? null}`] as const)

export const insertUser = (id: string, values: UserChanges, now: Date): Statement => {
  const given = assignments(values)
  return statement(
    'auth.insert_user',
    frag`insert into auth.users (
           instance_id, id, aud, created_at, updated_at${join(
             given.map(([name]) => frag`, ${name}`),
             '',
           )})
         values (
           '00000000-0000-0000-0000-000000000000', ${id}::uuid, 'authenticated', ${now}, ${now}${join(
             given.map(([, value]) => frag`, ${value}`),
             '',
           )})`,
  )
}

export const updateUser = (id: string, changes: UserChanges, now: Date): Statement => {
  const set = assignments(changes).map(([name, value]) => frag`, ${name} = ${value}`)
  return statement(
    'auth.update_user',
    frag`update auth.users
            set updated_at = ${now}${join(set, '')}
          where id = ${id}::uuid`,
  )
}

export const deleteUser = (id: string): Statement => sql('auth.delete_user')`
  delete from auth.users
   where id = ${id}::uuid`

export interface UserPage {
  readonly limit: number
  readonly offset: number
  /** Part of an address or a name. */
  readonly filter: string | null
  readonly order: 'created' | 'seen'
}

const matching = (text: string | null): Fragment =>
  text === null || text === ''
    ? empty
    : frag`where strpos(lower(coalesce(u.email, '')), lower(${text})) > 0
              or strpos(coalesce(u.phone, ''), ${text}) > 0
              or strpos(lower(coalesce(u.raw_user_meta_data ->> 'full_name', '')), lower(${text})) > 0
              or u.id::text = ${text}`

export const listUsers = (page: UserPage): Statement =>
  page.order === 'seen'
    ? sql('auth.list_users_seen')`
        select ${columns}
          from auth.users as u
          left join teahouse.user_seen as s on s.user_id = u.id
          ${matching(page.filter)}
         order by greatest(s.seen_at, u.last_sign_in_at) desc nulls last, u.id
         limit ${page.limit}::bigint
        offset ${page.offset}::bigint`
    : sql('auth.list_users')`
        select ${columns}
          from auth.users as u
          ${matching(page.filter)}
         order by u.created_at desc, u.id
         limit ${page.limit}::bigint
        offset ${page.offset}::bigint`

export const countUsers = (filter: string | null): Statement => sql('auth.count_users')`
  select count(*)::int as total
    from auth.users as u
    ${matching(filter)}`

export interface NewIdentity {
  readonly userId: string
  readonly provider: string
  readonly providerId: string
  readonly data: JsonObject
  readonly appid?: string
  readonly openid?: string
  readonly unionid?: string | null
}

export const insertIdentity = (identity: NewIdentity, now: Date): Statement => sql('auth.insert_identity')`
  insert into auth.identities (
    user_id, provider, provider_id, identity_data, appid, openid, unionid, last_sign_in_at, created_at, updated_at)
  values (
    ${identity.userId}::uuid, ${identity.provider}, ${identity.providerId}, ${identity.data}::jsonb,
    ${identity.appid ?? null}, ${identity.openid ?? null}, ${identity.unionid ?? null}, ${now}, ${now}, ${now})`

/** Refreshes what the provider says; a unionid that is known stays known. */
export const touchIdentity = (
  identity: Pick<NewIdentity, 'provider' | 'providerId' | 'data' | 'unionid'>,
  now: Date,
): Statement => sql('auth.touch_identity')`
  update auth.identities
     set identity_data = identity_data || ${identity.data}::jsonb,
         unionid = coalesce(${identity.unionid ?? null}, unionid),
         last_sign_in_at = ${now},
         updated_at = ${now}
   where provider = ${identity.provider}
     and provider_id = ${identity.providerId}`

export const updateIdentityData = (userId: string, provider: string, data: JsonObject): Statement => sql(
  'auth.update_identity_data',
)`
  update auth.identities
     set identity_data = identity_data || ${data}::jsonb,
         updated_at = now()
   where user_id = ${userId}::uuid
     and provider = ${provider}`

export const deleteIdentity = (id: string): Statement => sql('auth.delete_identity')`
  delete from auth.identities
   where id = ${id}::uuid`

export const deleteIdentitiesOf = (userId: string): Statement => sql('auth.delete_identities')`
  delete from auth.identities
   where user_id = ${userId}::uuid`
