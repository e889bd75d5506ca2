/** The operator's own functions and services at two points of a login: before a user is made, and before an access token is signed. */
import { databaseError, type Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import type { Ids } from '../kernel/ids.ts'
import { isObject, type JsonObject } from '../kernel/json.ts'
import type { Log } from '../observe/log.ts'
import { refuse } from './errors.ts'
import { callHook, hookTimeout } from './hooks.sql.ts'
import { callEndpoint } from './hooks-http.ts'
import type { AuthSettings, Hook, HookFunction } from './settings.ts'

const TIMEOUT_MS = 2_000

export interface Hooks {
  /** May refuse a new user. */
  beforeUserCreated(user: JsonObject, request: JsonObject): Promise<void>
  /** May change the claims of an access token. */
  accessToken(event: {
    readonly userId: string
    readonly claims: JsonObject
    readonly method: string
  }): Promise<JsonObject>
}

/** What every access token must keep saying. */
const REQUIRED = ['aud', 'exp', 'iat', 'sub', 'role', 'aal', 'session_id'] as const

export interface HookWorld {
  readonly db: Pool
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Log
}

export const createHooks = (world: HookWorld, settings: AuthSettings['hooks']): Hooks => {
  const { log } = world
  const call = async (hook: Hook, event: JsonObject): Promise<JsonObject> => {
    const answer = hook.kind === 'function' ? callFunction(world.db, hook, event) : callEndpoint(world, hook, event)
    const output = await answer.catch((error: unknown) => {
      log.error({ error, hook: nameOf(hook) }, 'a hook failed')
      if (error instanceof AppError && error.reason === 'hook_refused') throw error
      throw refuse('hook_failed', undefined, { cause: error })
    })
    if (isObject(output.error)) throw refusalOf(output.error)
    return output
  }
  return {
    async beforeUserCreated(user, request) {
      const hook = settings.beforeUserCreated
      if (hook !== null) await call(hook, { metadata: { name: 'before-user-created', ...request }, user })
    },
    async accessToken({ userId, claims, method }) {
      const hook = settings.customAccessToken
      if (hook === null) return claims
      const output = await call(hook, { user_id: userId, claims, authentication_method: method })
      const changed = output.claims
      if (!isObject(changed) || REQUIRED.some((name) => changed[name] === undefined || changed[name] === null)) {
        log.error({ hook: nameOf(hook) }, 'a hook answered claims that miss required ones')
        throw refuse('hook_failed', 'output claims do not conform to the expected schema')
      }
      return changed
    },
  }
}

const nameOf = (hook: Hook): string => (hook.kind === 'function' ? `${hook.schema}.${hook.name}` : hook.url)

const callFunction = async (db: Pool, hook: HookFunction, event: JsonObject): Promise<JsonObject> => {
  const result = await db
    .transaction(async (tx) => {
      await tx.many(hookTimeout(TIMEOUT_MS))
      return tx.maybeOne<{ result: unknown }>(callHook(hook, event))
    })
    .catch((error: unknown) => {
      // P0001 is the hook's own `raise exception`: words that it means to be read.
      const database = databaseError(error)
      if (database?.code === 'P0001') throw refuse('hook_refused', database.message, { cause: error })
      throw error
    })
  return isObject(result?.result) ? result.result : {}
}

/** `{"error": {"http_code": 403, "message": "…"}}` is how a hook says no. */
const refusalOf = (error: JsonObject): AppError => {
  const message = typeof error.message === 'string' ? error.message : 'Refused by a hook of this project'
  const status = typeof error.http_code === 'number' ? error.http_code : 500
  if (status >= 500) return refuse('hook_failed', message, { details: String(status) })
  return refuse('hook_refused', message, { details: String(status) })
}
