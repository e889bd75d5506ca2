/** The order of deliveries: against time, against each row's versions, within transactions, and between subscribers, who must all agree. Pure. */
import { type Event, eventKey, type History } from './history.ts'
import type { Subscription } from './ledger.ts'

export const findOrderViolations = (history: History, subscriptions: readonly Subscription[]): readonly string[] => {
  const found: string[] = []
  const follows = new Map<string, Set<string>>()
  for (const subscription of subscriptions) {
    const events = subscription.deliveries.flatMap((delivery) => history.byKey.get(eventKey(delivery)) ?? [])
    found.push(...inversions(subscription, events))
    link(follows, events)
  }
  // Nobody could have caused what everybody saw differently: one circle is enough to show.
  if (found.length === 0) {
    const circle = findCircle(follows)
    if (circle !== null) found.push(`subscribers disagree about the order of ${circle.join(', ')}`)
  }
  return found
}

/** What one subscriber saw that cannot have happened in this order. */
const inversions = (subscription: Subscription, events: readonly Event[]): readonly string[] => {
  const found: string[] = []
  const versions = new Map<string, Event>()
  const inTransaction = new Map<string, Event>()
  let latest: Event | null = null
  for (const event of events) {
    const say = (earlier: Event, what: string) =>
      found.push(`${subscription.client} got ${event.key} after ${earlier.key}: ${what}`)
    const row = `${event.table}/${event.id}`
    const before = versions.get(row)
    if (before !== undefined && (before.op === 'DELETE' || (event.op !== 'DELETE' && before.version >= event.version)))
      say(before, 'the row had them the other way round')
    versions.set(row, event)
    const sibling = inTransaction.get(event.xid)
    if (sibling !== undefined && sibling.seq > event.seq)
      say(sibling, 'their transaction wrote them the other way round')
    inTransaction.set(event.xid, event)
    if (latest !== null && event.done < latest.started) say(latest, 'it was done before the other began')
    if (latest === null || event.started > latest.started) latest = event
  }
  return found
}

const link = (follows: Map<string, Set<string>>, events: readonly Event[]): void => {
  let before: string | null = null
  for (const { key } of events) {
    if (!follows.has(key)) follows.set(key, new Set())
    if (before !== null && before !== key) follows.get(before)?.add(key)
    before = key
  }
}

/** Takes away whatever nothing precedes, again and again; what cannot be taken away goes in circles. */
const findCircle = (follows: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] | null => {
  const preceding = new Map<string, number>()
  for (const next of follows.values()) for (const key of next) preceding.set(key, (preceding.get(key) ?? 0) + 1)
  const free = [...follows.keys()].filter((key) => !preceding.get(key))
  let taken = 0
  for (let key = free.pop(); key !== undefined; key = free.pop()) {
    taken++
    for (const next of follows.get(key) ?? []) {
      const left = (preceding.get(next) ?? 0) - 1
      preceding.set(next, left)
      if (left === 0) free.push(next)
    }
  }
  if (taken === follows.size) return null
  return [...preceding].flatMap(([key, count]) => (count > 0 ? [key] : [])).slice(0, 6)
}
