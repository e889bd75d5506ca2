/** Statements on the log that nodes share, its leader and its epoch. */
import { type Statement, sql } from '../sql/sql.ts'
import type { Watermark } from './lsn.ts'

/** Who appends, and where. */
export interface Leading {
  readonly name: string
  readonly term: string
}

export interface EpochRow {
  readonly epoch: string
  readonly source: string
  readonly floor: Watermark
  readonly ready: boolean
}

export const findEpoch = (name: string): Statement => sql('feed.epoch')`
  select epoch::text as epoch, source, floor, ready
    from teahouse.feed_epoch
   where name = ${name}`

/** Until the next epoch begins, nothing that changes belongs to one. */
export const closeEpoch = (name: string): Statement => sql('feed.close_epoch')`
  update teahouse.feed_epoch
     set ready = false
   where name = ${name}`

export const openEpoch = (name: string, row: EpochRow): Statement => sql('feed.open_epoch')`
  insert into teahouse.feed_epoch (name, epoch, source, floor, ready)
  values (${name}, ${row.epoch}, ${row.source}, ${row.floor}, true)
  on conflict (name) do update
     set epoch = excluded.epoch, source = excluded.source, floor = excluded.floor, ready = true`

export const emptyLog = (name: string): Statement => sql('feed.empty_log')`
  delete from teahouse.feed_log
   where name = ${name}`

/** Puts a leader in; whoever led before can append no more. */
export const resetLeader = ({ name, term }: Leading, node: string, floor: Watermark): Statement => sql(
  'feed.reset_leader',
)`
  insert into teahouse.feed_leader (name, term, node, last, trimmed)
  values (${name}, ${term}, ${node}, ${floor}, ${floor})
  on conflict (name) do update
     set term = excluded.term, node = excluded.node, last = excluded.last, trimmed = excluded.trimmed,
         seen_at = clock_timestamp()`

/** Takes over where the last leader stopped; `base` is where the source goes on when a crash of the database forgot that. */
export const takeLead = ({ name, term }: Leading, node: string, base: Watermark): Statement => sql('feed.take_lead')`
  insert into teahouse.feed_leader (name, term, node, last, trimmed)
  values (${name}, ${term}, ${node}, ${base}, ${base})
  on conflict (name) do update
     set term = excluded.term, node = excluded.node, seen_at = clock_timestamp()
  returning last`

/** Appends one entry unless another leads by now; answers how many were appended. */
export const append = (
  { name, term }: Leading,
  entry: { readonly last: Watermark; readonly prev: Watermark; readonly payload: string },
): Statement => sql('feed.append')`
  with fence as (
    update teahouse.feed_leader
       set last = ${entry.last}, seen_at = clock_timestamp()
     where name = ${name}
       and term = ${term}
       and last < ${entry.last}
    returning name)
  insert into teahouse.feed_log (name, last, prev, bytes, payload)
  select name, ${entry.last}, ${entry.prev}, ${entry.payload.length}, ${entry.payload}
    from fence`

/** The leader's sign of life; it has handed on everything before `reached`. Answers 0 when another leads. */
export const advance = ({ name, term }: Leading, reached: Watermark): Statement => sql('feed.advance')`
  update teahouse.feed_leader
     set last = greatest(last, ${reached}), seen_at = clock_timestamp()
   where name = ${name}
     and term = ${term}`

export interface EntryRow {
  readonly epoch: string
  readonly floor: Watermark
  /** How far the leader came; null when a crash of the database forgot it. */
  readonly newest: Watermark | null
  readonly trimmed: Watermark | null
  /** The rest is null when there is no newer entry. */
  readonly last: Watermark | null
  readonly payload: string | null
}

/** Entries after a position, with the state that goes with them; one row without an entry when there is none. */
export const readEntries = (name: string, seen: Watermark, limit: number): Statement => sql('feed.read')`
  select epoch.epoch::text as epoch,
         epoch.floor,
         leader.last as newest,
         leader.trimmed,
         entry.last,
         entry.payload
    from teahouse.feed_epoch as epoch
    left join teahouse.feed_leader as leader on leader.name = epoch.name
    left join lateral (
         select log.last, log.payload
           from teahouse.feed_log as log
          where log.name = epoch.name
            and log.last > ${seen}
          order by log.last
          limit ${limit}) as entry on true
   where epoch.name = ${name}
     and epoch.ready
   order by entry.last`

export interface SilenceRow {
  /** Milliseconds since the leader's last sign of life; null when there never was one. */
  readonly silence: number | null
  /** Whether nobody holds the leader's lock. */
  readonly free: boolean
}

export const leaderSilence = (name: string, key: bigint): Statement => sql('feed.silence')`
  select pg_catalog.pg_try_advisory_xact_lock(${key}) as free,
         (select (extract(epoch from clock_timestamp() - seen_at) * 1000)::float8
            from teahouse.feed_leader
           where name = ${name}) as silence`

/** Ends the sessions that hold the leader's lock: their node has stopped giving signs of life, and will find that it leads no more. */
export const deposeLeader = (key: bigint): Statement => sql('feed.depose')`
  select pg_catalog.pg_terminate_backend(pid) as done
    from pg_catalog.pg_locks
   where locktype = 'advisory'
     and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
     and objsubid = 1
     and (classid::bigint << 32) | objid::bigint = ${key}
     and granted`

/** Forgets entries that are old or too many. */
export const trimLog = ({ name, term }: Leading, bytes: number, minutes: number): Statement => sql('feed.trim')`
  with sized as (
    select last, at, sum(bytes) over (order by last desc) as total
      from teahouse.feed_log
     where name = ${name}),
  gone as (
    select max(last) as last
      from sized
     where total > ${bytes}
        or at < clock_timestamp() - make_interval(mins => ${minutes})),
  fence as (
    update teahouse.feed_leader
       set trimmed = greatest(trimmed, gone.last)
      from gone
     where name = ${name}
       and term = ${term}
       and gone.last is not null
    returning trimmed)
  delete from teahouse.feed_log as log
   using fence
   where log.name = ${name}
     and log.last <= fence.trimmed`
