/** People who come through WeChat: a code becomes an openid on the server, and the openid a user. What a client says about itself counts for nothing. */
import type { Queryable } from '../db/pool.ts'
import { AppError } from '../kernel/errors.ts'
import type { WechatClient } from '../wechat/client.ts'
import { BUSY, CODE_ERRORS, QUOTA_ERRORS, WechatError } from '../wechat/errors.ts'
import type { Principal } from './account.ts'
import { askBeforeCreate, createUser, loadUser, takenError, withProvider } from './accounts.ts'
import type { Auth } from './auth.ts'
import { takeAddress } from './contact.ts'
import { type AuthContext, nowOf } from './context.ts'
import { type AuthReason, invalid, refuse } from './errors.ts'
import type { Device, Grant } from './session.ts'
import { isBanned, type User } from './user.ts'
import { findUserByOpenid, findUserByUnionid, insertIdentity, touchIdentity, updateUser } from './users.sql.ts'
import { lockPerson } from './wechat-login.sql.ts'

/** One person within one app, and perhaps across the apps of one owner. */
export interface WechatPerson {
  readonly provider: 'wechat_mini' | 'wechat_qr'
  readonly appid: string
  readonly openid: string
  readonly unionid: string | null
}

export const clientOf = ({ wechat }: Auth): WechatClient => {
  if (wechat === null) throw refuse('wechat_not_configured')
  return wechat
}

/** Throws `validation_failed` for what cannot be a code. */
export const parseCode = (code: string | undefined): string => {
  if (code === undefined || code === '') throw invalid('code is required')
  if (code.length > 512 || /[\s\0]/.test(code)) throw refuse('wechat_code_invalid')
  return code
}

/** Logs in with the code of `wx.login`; the first time makes the user. */
export const signInWithWechat = async (auth: Auth, code: string, device: Device): Promise<Grant> => {
  const { context, sessions } = auth
  const person = await exchange(auth, code)
  const user = await ensureUser(context, person, device)
  if (isBanned(user, context.clock.now())) throw refuse('user_banned')
  return sessions.start(context.db, user.id, { method: 'wechat_mini', device })
}

/** A code is used once, also where WeChat itself would take it again; one that WeChat could not look at may be sent again. */
const onceOnly = async <T>({ limits }: AuthContext, code: string, work: () => Promise<T>): Promise<T> => {
  const giveBack = await limits.once(`wechat:${code}`)
  if (giveBack === null) throw refuse('wechat_code_invalid')
  try {
    return await work()
  } catch (error) {
    const told = wechatError(error)
    if (told instanceof AppError && (told.code === 'unavailable' || told.code === 'rate_limited')) await giveBack()
    throw told
  }
}

const exchange = async (auth: Auth, code: string): Promise<WechatPerson> => {
  const client = clientOf(auth)
  // The session key ends here: nothing of this server's needs it later.
  const { openid, unionid } = await onceOnly(auth.context, code, () => client.codeToSession(code))
  return { provider: 'wechat_mini', appid: client.appid, openid, unionid }
}

/** A refusal of WeChat's in this service's words. */
export const wechatError = (error: unknown): unknown => {
  if (!(error instanceof WechatError)) return error
  const { errcode } = error
  const options = { cause: error, details: String(errcode) }
  if (CODE_ERRORS.has(errcode)) return refuse('wechat_code_invalid', undefined, options)
  if (QUOTA_ERRORS.has(errcode)) return refuse('over_request_rate_limit', undefined, { ...options, retryAfter: 60 })
  if (errcode === 40226) return refuse('wechat_rejected', 'WeChat blocked this user', options)
  if (errcode === BUSY) return refuse('wechat_unavailable', undefined, { ...options, retryAfter: 2 })
  // The rest is between the operator and WeChat: a wrong AppSecret, an address that is not listed.
  const reason: AuthReason =
    errcode < 40040 || errcode === 40125 || errcode === 40164 ? 'wechat_unavailable' : 'wechat_rejected'
  return refuse(reason, reason === 'wechat_rejected' ? error.message : undefined, options)
}

/** The user of an openid, else of its unionid, else a new one. Two hundred first logins at once make one user. */
export const ensureUser = async (context: AuthContext, person: WechatPerson, device: Device): Promise<User> => {
  const known = await context.db.maybeOne<User>(findUserByOpenid(person.appid, person.openid))
  if (known !== null && isUpToDate(known, person)) return known
  if (known === null && !context.settings.enableSignup && (await byUnionid(context.db, person)) === null) {
    throw refuse('signup_disabled')
  }
  const draft = {
    id: context.ids.uuid(),
    identity: identityOf(person),
    values: { appMetadata: { provider: person.provider, providers: [person.provider] }, userMetadata: {} },
  }
  if (known === null) await askBeforeCreate(context, draft, device)
  return context.db.transaction(async (tx) => {
    // Everybody who may mean the same person waits here, whichever app they come from.
    await tx.many(lockPerson(person.unionid ?? `${person.appid}:${person.openid}`))
    const found =
      (await tx.maybeOne<User>(findUserByOpenid(person.appid, person.openid))) ?? (await byUnionid(tx, person))
    if (found === null) return createUser(context, tx, draft)
    await link(context, tx, found, person)
    return loadUser(tx, found.id)
  })
}

const byUnionid = async (db: Queryable, { unionid }: WechatPerson): Promise<User | null> =>
  unionid === null ? null : db.maybeOne<User>(findUserByUnionid(unionid))

const identityOf = (person: WechatPerson) => ({
  provider: person.provider,
  providerId: `${person.appid}:${person.openid}`,
  appid: person.appid,
  openid: person.openid,
  unionid: person.unionid,
  data: { sub: person.openid, ...(person.unionid === null ? {} : { unionid: person.unionid }) },
})

const isUpToDate = (user: User, { appid, openid, unionid }: WechatPerson): boolean => {
  const identity = user.identities.find((each) => each.appid === appid && each.openid === openid)
  return identity !== undefined && (unionid === null || identity.unionid === unionid)
}

/** Adds the openid to a user, or what WeChat newly says about one that is known. */
const link = async (context: AuthContext, db: Queryable, user: User, person: WechatPerson): Promise<void> => {
  const now = nowOf(context)
  const identity = identityOf(person)
  const known = user.identities.some((each) => each.appid === person.appid && each.openid === person.openid)
  if (known) {
    await db.run(touchIdentity(identity, now))
    return
  }
  await db.run(insertIdentity({ ...identity, userId: user.id }, now)).catch((error: unknown) => {
    throw takenError(error)
  })
  const appMetadata = withProvider(user.appMetadata, person.provider)
  await db.run(updateUser(user.id, { appMetadata, isAnonymous: false }, now))
}

/** Gives somebody who is logged in the phone number that WeChat vouches for. */
export const bindPhone = async (auth: Auth, { user }: Principal, code: string): Promise<User> => {
  const { context } = auth
  const client = clientOf(auth)
  const { pure, countryCode } = await onceOnly(context, code, () => client.phoneNumber(code))
  const phone = countryCode === '86' ? pure : countryCode + pure
  return context.db.transaction(async (tx) =>
    takeAddress(context, tx, await loadUser(tx, user.id), { kind: 'phone', value: phone }),
  )
}

/** Lets somebody who is logged in another way log in through WeChat from now on. */
export const bindAccount = async (auth: Auth, { user }: Principal, code: string): Promise<User> => {
  const { context } = auth
  const person = await exchange(auth, code)
  return context.db.transaction(async (tx) => {
    await tx.many(lockPerson(person.unionid ?? `${person.appid}:${person.openid}`))
    const owner =
      (await tx.maybeOne<User>(findUserByOpenid(person.appid, person.openid))) ?? (await byUnionid(tx, person))
    if (owner !== null && owner.id !== user.id) throw refuse('wechat_account_exists')
    const fresh = await loadUser(tx, user.id)
    const other = fresh.identities.find((each) => each.appid === person.appid && each.openid !== person.openid)
    if (other !== undefined) throw refuse('identity_already_exists', 'Another WeChat account is linked to this user')
    await link(context, tx, fresh, person)
    return loadUser(tx, user.id)
  })
}
