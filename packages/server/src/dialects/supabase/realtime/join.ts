/** Parses the payload of phx_join into what a channel is asked to be. Old clients leave most of it out, and some write booleans as strings. Pure. */

import { isObject, type Json, type JsonObject } from '../../../kernel/json.ts'
import type { Condition } from '../../../live/condition.ts'
import { type NumberedBinding, numberBindings } from './bindings.ts'
import { parseFilter } from './filter.ts'

export type ChangeEvent = 'INSERT' | 'UPDATE' | 'DELETE' | '*'

/** One postgres_changes binding. */
export interface Binding {
  /** As the client sent it; the join reply echoes every field exactly. */
  readonly sent: JsonObject
  readonly event: ChangeEvent
  /** `*` for any. */
  readonly schema: string
  readonly table: string
  readonly conditions: readonly Condition[]
  readonly select: readonly string[] | null
  /** Why the binding cannot work; it is still echoed. */
  readonly error: string | null
}

export interface JoinRequest {
  readonly broadcast: {
    readonly ack: boolean
    readonly self: boolean
    readonly replicationReady: boolean
    readonly replay: Replay | null
  }
  /** Key null: the server makes one up. */
  readonly presence: { readonly enabled: boolean; readonly key: string | null }
  readonly private: boolean
  readonly bindings: readonly NumberedBinding[]
}

/** What a join asks for, and the token that it brought. */
export interface ParsedJoin extends JoinRequest {
  readonly accessToken: string | null
}

export interface Replay {
  /** Milliseconds since 1970. */
  readonly since: number
  readonly limit: number
}

export interface JoinError {
  readonly error: string
}

const MAX_BINDINGS = 100
const MAX_KEY = 1024

export const parseJoin = (payload: JsonObject): ParsedJoin | JoinError => {
  const config = payload.config ?? {}
  if (!isObject(config)) return { error: 'config must be an object' }
  const { broadcast = {}, presence = {}, postgres_changes: changes } = config
  if (!isObject(broadcast) && broadcast !== null) return { error: 'config.broadcast must be an object' }
  if (!isObject(presence) && presence !== null) return { error: 'config.presence must be an object' }
  if (changes !== undefined && changes !== null && !Array.isArray(changes))
    return { error: 'config.postgres_changes must be an array' }
  const list: readonly Json[] = Array.isArray(changes) ? changes : []
  if (list.length > MAX_BINDINGS) return { error: `config.postgres_changes has more than ${MAX_BINDINGS} entries` }
  const bindings: Binding[] = []
  for (const each of list) {
    if (!isObject(each)) return { error: 'config.postgres_changes must hold objects' }
    bindings.push(parseBinding(each))
  }
  const key = presence?.key
  if (typeof key === 'string' && key.length > MAX_KEY)
    return { error: `config.presence.key is longer than ${MAX_KEY} characters` }
  const token = payload.access_token ?? payload.user_token
  return {
    broadcast: {
      ack: flexibleBoolean(broadcast?.ack, false),
      self: flexibleBoolean(broadcast?.self, false),
      replicationReady: flexibleBoolean(broadcast?.replication_ready, false),
      replay: parseReplay(broadcast?.replay),
    },
    presence: {
      // Clients that predate the switch (the mini-program ones) expect presence to work.
      enabled: flexibleBoolean(presence?.enabled, true),
      key: typeof key === 'string' && key !== '' ? key : typeof key === 'number' ? String(key) : null,
    },
    private: flexibleBoolean(config.private, false),
    bindings: numberBindings(bindings),
    accessToken: typeof token === 'string' && token !== '' ? token : null,
  }
}

const parseReplay = (value: Json | undefined): Replay | null => {
  if (!isObject(value)) return null
  const since = Number(value.since)
  if (!Number.isFinite(since) || Math.abs(since) > 8.64e15) return null
  const limit = Number(value.limit ?? 25)
  return { since, limit: Number.isFinite(limit) ? limit : 25 }
}

/** True, "true", 1 and "1" are true. */
const flexibleBoolean = (value: Json | undefined, absent: boolean): boolean => {
  if (value === undefined || value === null) return absent
  if (typeof value === 'string') return value.toLowerCase() === 'true' || value === '1'
  return value === true || value === 1
}

const parseBinding = (sent: JsonObject): Binding => {
  const { event, schema, table, filter, select } = sent
  const parsed = typeof filter === 'string' ? parseFilter(filter) : []
  const upper = typeof event === 'string' ? event.toUpperCase() : ''
  const errors: string[] = []
  if (!isChangeEvent(upper)) errors.push(`unknown event ${JSON.stringify(event ?? null)}`)
  for (const [name, value] of Object.entries({ schema, table, filter })) {
    if (value !== undefined && value !== null && typeof value !== 'string') errors.push(`${name} must be a string`)
  }
  if ('error' in parsed) errors.push(parsed.error)
  const names = selectOf(select)
  if (names === undefined) errors.push('select must be an array of column names')
  const where = { schema: nameOf(schema), table: nameOf(table) }
  if (names && (where.schema === '*' || where.table === '*')) errors.push('select needs a schema and a table')
  return {
    sent,
    event: isChangeEvent(upper) ? upper : '*',
    ...where,
    conditions: 'error' in parsed ? [] : parsed,
    select: names ?? null,
    error: errors[0] ?? null,
  }
}

const nameOf = (value: Json | undefined): string => (typeof value === 'string' && value !== '' ? value : '*')

const isChangeEvent = (text: string): text is ChangeEvent =>
  text === '*' || text === 'INSERT' || text === 'UPDATE' || text === 'DELETE'

const selectOf = (value: Json | undefined): readonly string[] | null | undefined => {
  if (value === undefined || value === null) return null
  if (!Array.isArray(value) || value.length > 1600) return undefined
  const names = value.filter((name): name is string => typeof name === 'string')
  if (names.length !== value.length) return undefined
  return names.length === 0 ? null : names
}
