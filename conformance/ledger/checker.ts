/**
 * The judge of a run. From the ledgers alone it finds what was lost, told twice, told to the wrong person, told in the wrong order, and what was
 * acknowledged and is not in the database. Whatever a moment's uncertainty excuses is counted as undecided, so that a run cannot pass by being vague.
 */
import { asksFor, couldAlwaysSee, type Event, eventKey, type History, mayHaveSeen, readHistory } from './history.ts'
import { type Delivery, type FinalRow, type Ledgers, rowKey, type Subscription } from './ledger.ts'
import { findOrderViolations } from './order.ts'

export interface Verdict {
  readonly lost: readonly string[]
  readonly duplicate: readonly string[]
  readonly leak: readonly string[]
  readonly order: readonly string[]
  readonly missing: readonly string[]
  /** What the run itself got wrong; anything here makes the five lists worthless. */
  readonly harness: readonly string[]
  readonly figures: Figures
}

export interface Figures {
  readonly writes: number
  readonly acknowledged: number
  readonly unknown: number
  /** Answered with an error, and in the database all the same. */
  readonly refusedYetStored: number
  readonly versions: number
  readonly deliveries: number
  readonly subscriptions: number
  /** Deliveries that had to happen, and were checked. */
  readonly required: number
  /** Events that a subscription may or may not have been owed, because rights changed around their moment. */
  readonly undecided: number
  /** Rows held by subscribers at the end and compared with the database. */
  readonly compared: number
}

/** How long after its token's end a subscription may still be served. */
const EXPIRY_GRACE_MS = 5_000

export const check = (ledgers: Ledgers): Verdict => {
  const history = readHistory(ledgers)
  const joined = ledgers.subscriptions.filter((each) => each.joined !== null)
  const owed = joined.map((subscription) => findLost(history, subscription))
  const held = joined.filter(({ ended }) => ended === null).map((each) => findStale(history, ledgers.final, each))
  const missing = findMissing(ledgers, history)
  return {
    lost: [...owed.flatMap(({ lost }) => lost), ...held.flatMap(({ stale }) => stale)],
    duplicate: findDuplicates(ledgers.subscriptions),
    leak: ledgers.subscriptions.flatMap((subscription) => findLeaks(history, subscription, ledgers.delay)),
    order: findOrderViolations(history, ledgers.subscriptions),
    missing: missing.missing,
    harness: history.unexplained.map((key) => `${key} is in the database, and nobody wrote it`),
    figures: {
      writes: ledgers.writes.length,
      acknowledged: ledgers.writes.filter(({ outcome }) => outcome === 'acknowledged').length,
      unknown: ledgers.writes.filter(({ outcome }) => outcome === 'unknown').length,
      refusedYetStored: missing.refusedYetStored,
      versions: ledgers.committed.length,
      deliveries: sum(ledgers.subscriptions.map(({ deliveries }) => deliveries.length)),
      subscriptions: joined.length,
      required: sum(owed.map(({ required }) => required)),
      undecided: sum(owed.map(({ undecided }) => undecided)),
      compared: sum(held.map(({ compared }) => compared)),
    },
  }
}

/** The five numbers, in the order in which they are printed. */
export const zeros = ({ lost, duplicate, leak, order, missing }: Verdict): readonly number[] =>
  [lost, duplicate, leak, order, missing].map((list) => list.length)

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

const name = ({ client, user, asked }: Subscription): string =>
  `${client} (${user.slice(-4)}, since ${Math.round(asked)})`

/** For whoever looks into a loss: what happened when. */
const span = ({ joined, ended, why }: Subscription, { started, done }: Event, decided: number): string => {
  const at = [joined ?? 0, started, done, decided, ended ?? Number.POSITIVE_INFINITY].map(Math.round)
  return `joined ${at[0]}, written ${at[1]} to ${at[2]}, something later arrived ${at[3]}, ended ${at[4]} ${why}`
}

/**
 * A version is owed when its write began after the join, and something that certainly committed later was delivered to the same subscription:
 * by then it had been decided. What a subscription never got before it was told of its end is the next reading's affair.
 */
const findLost = (
  history: History,
  subscription: Subscription,
): { lost: readonly string[]; required: number; undecided: number } => {
  const { joined, wanted, user, deliveries } = subscription
  const got = new Set(deliveries.map(eventKey))
  const decidedBy = decisions(history, deliveries)
  const lost: string[] = []
  let required = 0
  let undecided = 0
  for (const event of history.events) {
    if (joined === null || event.started <= joined || !asksFor(wanted, event)) continue
    const decided = decidedBy(event)
    if (decided === null || !mayHaveSeen(history, user, event, event.started, decided)) continue
    if (!couldAlwaysSee(history, user, event, event.started, decided)) undecided++
    else {
      required++
      if (!got.has(event.key))
        lost.push(
          `${name(subscription)} never got ${event.key} of ${event.writer} ${event.n} (${span(subscription, event, decided)})`,
        )
    }
  }
  return { lost, required, undecided }
}

/** By when a subscription had certainly passed an event: the arrival of the first delivery whose write began after the event was done. */
const decisions = (history: History, deliveries: readonly Delivery[]): ((event: Event) => number | null) => {
  // Latest start of the writes delivered so far, with the moment when it became so.
  const steps: { readonly started: number; readonly at: number }[] = []
  for (const delivery of deliveries) {
    const started = history.byKey.get(eventKey(delivery))?.started
    if (started === undefined || started <= (steps.at(-1)?.started ?? Number.NEGATIVE_INFINITY)) continue
    steps.push({ started, at: delivery.at })
  }
  return ({ done }) => {
    let low = 0
    let high = steps.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((steps[middle]?.started ?? 0) > done) high = middle
      else low = middle + 1
    }
    return steps[low]?.at ?? null
  }
}

/** What the subscriber holds at the end against what the database holds for it. Rooms that the user left are no longer its affair. */
const findStale = (
  history: History,
  final: readonly FinalRow[],
  subscription: Subscription,
): { stale: readonly string[]; compared: number } => {
  const { user, wanted, held } = subscription
  const isMember = (room: number | null) =>
    history.memberships.some(
      (each) => each.user === user && each.room === room && each.revoked[0] === Number.POSITIVE_INFINITY,
    )
  const sees = (table: string, owner: string | null, room: number | null) =>
    table === 'post' ? isMember(room) : (table !== 'note' && table !== 'member') || owner === user
  const stale: string[] = []
  let compared = 0
  const living = new Set<string>()
  for (const row of final) {
    if (!asksFor(wanted, row) || !sees(row.table, row.owner, row.room)) continue
    const key = rowKey(row.table, row.id)
    living.add(key)
    compared++
    const own = held.get(key)
    if (own === undefined || own.deleted) stale.push(`${name(subscription)} ended without ${key} v${row.version}`)
    else if (own.version !== row.version)
      stale.push(`${name(subscription)} ended with ${key} v${own.version}; the database has v${row.version}`)
  }
  for (const [key, own] of held) {
    if (own.deleted || living.has(key) || (key.startsWith('post/') && !isMember(own.room))) continue
    stale.push(`${name(subscription)} ended with ${key} v${own.version}, which the database no longer has`)
  }
  return { stale, compared }
}

/** The same version twice to the same client, also across its channel's lives. */
const findDuplicates = (subscriptions: readonly Subscription[]): readonly string[] => {
  const seen = new Map<string, Set<string>>()
  const found: string[] = []
  for (const subscription of subscriptions) {
    let own = seen.get(subscription.client)
    if (own === undefined) {
      own = new Set()
      seen.set(subscription.client, own)
    }
    for (const delivery of subscription.deliveries) {
      const key = eventKey(delivery)
      if (own.has(key)) found.push(`${name(subscription)} got ${key} again at ${Math.round(delivery.at)}`)
      own.add(key)
    }
  }
  return found
}

const findLeaks = (history: History, subscription: Subscription, delay: number): readonly string[] => {
  const { user, wanted, deliveries, expires } = subscription
  const found: string[] = []
  for (const delivery of deliveries) {
    const key = eventKey(delivery)
    const event = history.byKey.get(key)
    const say = (what: string) => found.push(`${name(subscription)} got ${key} at ${Math.round(delivery.at)}: ${what}`)
    if (event === undefined) say('nothing like it was ever committed')
    else if (!asksFor(wanted, event)) say('it did not ask for this')
    else if (!mayHaveSeen(history, user, event, event.started, delivery.at))
      say(`it was not allowed to see this, written at ${Math.round(event.started)} (${rightsOf(history, user, event)})`)
    if (delivery.at > expires + EXPIRY_GRACE_MS + delay) say(`its token had run out at ${Math.round(expires)}`)
  }
  return found
}

/** For whoever looks into a leak: when the user belonged to the row's room. */
const rightsOf = ({ memberships }: History, user: string, { room, owner }: Event): string =>
  memberships
    .filter((each) => each.user === user && each.room === room)
    .map(({ granted, revoked }) => `in room ${room} ${Math.round(granted[0])} to ${Math.round(revoked[1])}`)
    .join(', ') || `owner ${owner}, room ${room}`

const findMissing = (
  { writes }: Ledgers,
  history: History,
): { missing: readonly string[]; refusedYetStored: number } => {
  const stored = new Set(history.events.map((event) => `${event.writer} ${event.n} ${rowKey(event.table, event.id)}`))
  const isStored = (writer: string, n: number, row: Ledgers['writes'][number]['rows'][number]) =>
    row.op === 'DELETE'
      ? history.byKey.has(eventKey({ ...row, version: null }))
      : stored.has(`${writer} ${n} ${rowKey(row.table, row.id)}`)
  const missing: string[] = []
  let refusedYetStored = 0
  for (const { writer, n, rows, outcome } of writes) {
    const kept = rows.filter((row) => isStored(writer, n, row))
    if (outcome === 'refused' && kept.length > 0) refusedYetStored++
    // A transaction is there as a whole or not at all, whatever was answered.
    const isBroken = kept.length !== rows.length && (outcome === 'acknowledged' || kept.length > 0)
    if (isBroken) missing.push(`${writer} ${n} (${outcome}): ${kept.length} of ${rows.length} rows are in the database`)
  }
  return { missing, refusedYetStored }
}
