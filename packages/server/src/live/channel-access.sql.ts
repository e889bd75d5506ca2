/** The statements that ask row-level security about a channel. They run in transactions that are rolled back. */
import { type Statement, sql } from '../sql/sql.ts'

/** The two kinds of message that policies on realtime.messages speak about. */
export type ChannelExtension = 'broadcast' | 'presence'

/** Rows to be seen, made by the owner before the caller's role is taken on. */
export const insertProbes = (topic: string, ids: Readonly<Record<ChannelExtension, string>>): Statement => sql(
  'live.insert_probes',
)`
  insert into realtime.messages (id, topic, extension)
  values (${ids.broadcast}::uuid, ${topic}, 'broadcast'),
         (${ids.presence}::uuid, ${topic}, 'presence')`

export const visibleProbes = (ids: Readonly<Record<ChannelExtension, string>>): Statement => sql('live.visible_probes')`
  select id::text
    from realtime.messages
   where id in (${ids.broadcast}::uuid, ${ids.presence}::uuid)`

export const insertAs = (topic: string, extension: ChannelExtension): Statement => sql('live.insert_as')`
  insert into realtime.messages (topic, extension)
  values (${topic}, ${extension})`

export const storeMessage = (topic: string, event: string, payload: string): Statement => sql('live.store_message')`
  insert into realtime.messages (topic, extension, event, payload, private)
  values (${topic}, 'broadcast', ${event}, ${payload}::jsonb, true)`

export interface StoredMessageRow {
  readonly id: string
  readonly event: string
  readonly payload: string | null
  readonly binary_payload: Buffer | null
}

export const replay = (topic: string, since: Date, limit: number): Statement => sql('live.replay')`
  select id::text, event, payload::text as payload, binary_payload
    from realtime.messages
   where topic = ${topic}
     and extension = 'broadcast'
     and private
     and inserted_at >= ${since}::timestamptz at time zone 'utc'
   order by inserted_at desc
   limit ${limit}`

/** Messages were read from the log when they were written; the rows stay only for replay. */
export const purgeMessages = (): Statement => sql('live.purge_messages')`
  delete from realtime.messages where inserted_at < (now() at time zone 'utc') - interval '3 days'`
