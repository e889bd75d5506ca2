/** Statements on teahouse.user_seen. */
import { type Statement, sql } from '../sql/sql.ts'
import { inet } from './network.ts'
import type { Device } from './session.ts'

/** One visit. */
export interface Note {
  readonly at: number
  readonly device: Device
}

export const putSeen = (rows: readonly (readonly [string, Note])[]): Statement => sql('auth.put_seen')`
  insert into teahouse.user_seen (user_id, seen_at, device, ip)
  select seen.user_id, seen.seen_at, seen.device, seen.ip
    from unnest(
           ${rows.map(([userId]) => userId)}::uuid[],
           ${rows.map(([, note]) => new Date(note.at))}::timestamptz[],
           ${rows.map(([, note]) => note.device.userAgent)}::text[],
           ${rows.map(([, note]) => inet(note.device.ip))}::inet[]
         ) as seen (user_id, seen_at, device, ip)
   where exists (select from auth.users where users.id = seen.user_id)
      on conflict (user_id) do update
         set seen_at = excluded.seen_at,
             device = excluded.device,
             ip = excluded.ip
       where user_seen.seen_at < excluded.seen_at`
