/** Calls of the operator's own functions. */
import type { JsonObject } from '../kernel/json.ts'
import { frag, ident, type Statement, sql, statement } from '../sql/sql.ts'
import type { HookFunction } from './settings.ts'

export const callHook = (hook: HookFunction, event: JsonObject): Statement =>
  statement('auth.hook', frag`select ${ident(hook.schema, hook.name)}(${event}::jsonb) as result`)

/** A hook that hangs must not keep a login waiting for ever. */
export const hookTimeout = (milliseconds: number): Statement => sql('auth.hook_timeout')`
  select set_config('statement_timeout', ${String(milliseconds)}, true)`
