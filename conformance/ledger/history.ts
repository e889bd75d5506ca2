/** Reads the ledgers of writers and database as one history: which version was committed when, and who belonged to which room when. Pure. */
import { type Committed, type Ledgers, type Membership, RULES, rowKey, type Wanted, type Write } from './ledger.ts'

/** A committed version with the span in which its commit lies. */
export interface Event extends Committed {
  readonly key: string
  /** Not before this. */
  readonly started: number
  /** Not after this. */
  readonly done: number
}

export interface History {
  readonly events: readonly Event[]
  readonly byKey: ReadonlyMap<string, Event>
  readonly memberships: readonly Membership[]
  /** Versions in the database that no writer wrote: a fault of the run itself. */
  readonly unexplained: readonly string[]
}

/** A delete is told by id alone, and ids are never used again. */
export const eventKey = (change: { table: string; id: number; op: string; version: number | null }): string =>
  change.op === 'DELETE'
    ? `${rowKey(change.table, change.id)} gone`
    : `${rowKey(change.table, change.id)} v${change.version}`

export const readHistory = ({ writes, committed, settled }: Ledgers): History => {
  const written = new Map<string, Write>()
  const deleted = new Map<string, Write>()
  for (const write of writes) {
    written.set(`${write.writer} ${write.n}`, write)
    for (const row of write.rows) if (row.op === 'DELETE') deleted.set(rowKey(row.table, row.id), write)
  }
  const unexplained: string[] = []
  const events: Event[] = []
  for (const change of committed) {
    const isDelete = change.op === 'DELETE'
    const write = isDelete ? deleted.get(rowKey(change.table, change.id)) : written.get(`${change.writer} ${change.n}`)
    const key = eventKey(change)
    if (write === undefined) unexplained.push(key)
    else events.push({ ...change, key, started: write.started, done: write.answered ?? settled })
  }
  return {
    events,
    unexplained,
    byKey: new Map(events.map((event) => [event.key, event])),
    memberships: readMemberships(events),
  }
}

const NEVER: readonly [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]

const readMemberships = (events: readonly Event[]): readonly Membership[] => {
  const members = events.filter(({ table }) => table === 'member')
  const ends = new Map(members.filter(({ op }) => op === 'DELETE').map((event) => [event.id, event]))
  return members
    .filter(({ op }) => op === 'INSERT')
    .map((grant) => {
      const end = ends.get(grant.id)
      return {
        user: grant.owner ?? '',
        room: grant.room ?? 0,
        granted: [grant.started, grant.done],
        revoked: end === undefined ? NEVER : [end.started, end.done],
      }
    })
}

/** Whether the user may have been allowed to see the row at some moment from `from` to `to`. */
export const mayHaveSeen = (history: History, user: string, row: Committed, from: number, to: number): boolean =>
  allowed(row, user, () =>
    history.memberships.some(
      (each) => each.user === user && each.room === row.room && each.granted[0] <= to && each.revoked[1] >= from,
    ),
  )

/** Whether the user was certainly allowed to see the row at every moment from `from` to `to`. */
export const couldAlwaysSee = (history: History, user: string, row: Committed, from: number, to: number): boolean =>
  allowed(row, user, () =>
    history.memberships.some(
      (each) => each.user === user && each.room === row.room && each.granted[1] <= from && each.revoked[0] >= to,
    ),
  )

const allowed = (row: Pick<Committed, 'table' | 'owner'>, user: string, isMember: () => boolean): boolean => {
  const rule = RULES[row.table]
  if (rule === 'everyone') return true
  return rule === 'owner' ? row.owner === user : rule === 'members' && isMember()
}

/** Whether a subscription asked for rows like this. */
export const asksFor = (wanted: readonly Wanted[], row: Pick<Committed, 'table' | 'room'>): boolean =>
  wanted.some(({ table, room }) => table === row.table && (room === undefined || room === row.room))
