/**
 * One subscriber as an application would write it: joins, reads, follows what it is told, and begins anew whenever it is told that its channel is
 * over. Everything goes into its ledger. It never guesses that something was missed: only what the server says counts.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Operation, rowKey, type Subscription, type Wanted } from './ledger.ts'
import { type Message, Phoenix, type Vsn } from './phoenix.ts'
import type { Random } from './random.ts'
import { Replica } from './replica.ts'
import { tokenFor } from './tokens.ts'

export interface SubscriberOptions {
  readonly name: string
  readonly user: string
  readonly vsn: Vsn
  readonly wanted: readonly Wanted[]
  /** Where its sockets go: through the proxy of the run. */
  readonly socketUrl: () => string
  /** Where it reads. */
  readonly restUrl: () => string
  readonly anonKey: string
  readonly jwtSecret: string
  readonly random: Random
}

/** The life of one join. */
interface Life {
  readonly joinRef: string
  readonly subscription: Subscription
  readonly replica: Replica
  readonly end: (why: string) => void
  readonly over: Promise<void>
}

const JOIN_WITHIN_MS = 10_000
const LONG_TOKEN_S = 3_600

export class Subscriber {
  readonly subscriptions: Subscription[] = []
  readonly #options: SubscriberOptions
  readonly #topic: string
  readonly #gone = new AbortController()
  /** The joins of the present socket by their refs: an answer may come when its channel has been given up. */
  readonly #joins = new Map<string, Subscription>()
  #phoenix: Phoenix | null = null
  #life: Life | null = null
  #waiting: { readonly ref: string; readonly done: () => void } | null = null
  #restless = true
  #loop: Promise<void> | null = null

  constructor(options: SubscriberOptions) {
    this.#options = options
    this.#topic = `realtime:ledger-${options.name}`
  }

  get name(): string {
    return this.#options.name
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  /** From now on it neither leaves by itself nor lets its token run out. */
  calm(): void {
    this.#restless = false
  }

  /** Whether it is joined, has read everything, was told of a fence since its join, and knows the newest one. */
  isUpToDate(newest: number): boolean {
    const { subscription, replica } = this.#life ?? {}
    if (subscription === undefined || replica === undefined || !this.joined || !replica.settled) return false
    return (
      subscription.held.has(rowKey('fence', newest)) && subscription.deliveries.some(({ table }) => table === 'fence')
    )
  }

  get joined(): boolean {
    const { subscription } = this.#life ?? {}
    return subscription !== undefined && subscription.joined !== null && subscription.ended === null
  }

  /** What is known of its present state, for a report of a run that never came to rest. */
  describe(): string {
    const last = this.subscriptions.at(-1)
    return `${this.name}: ${this.subscriptions.length} joins, the last ${last?.joined === null ? 'unanswered' : 'answered'}, ended: ${last?.why || 'no'}`
  }

  pause(): void {
    this.#phoenix?.pause()
  }

  resume(): void {
    this.#phoenix?.resume()
  }

  /** Ends the run; what lasts until now counts as lasting. */
  async stop(): Promise<void> {
    this.#gone.abort()
    this.#life?.replica.stop()
    this.#life?.end('the run is over')
    this.#phoenix?.terminate()
    await this.#loop
  }

  async #run(): Promise<void> {
    const { random, socketUrl, anonKey, vsn } = this.#options
    while (!this.#gone.signal.aborted) {
      let closed = () => {}
      const whenClosed = new Promise<void>((resolve) => {
        closed = resolve
      })
      const phoenix = await Phoenix.open({
        url: socketUrl(),
        key: anonKey,
        vsn,
        onMessage: (message) => this.#message(message),
        onClose: (code) => {
          this.#life?.end(`the socket closed with ${code}`)
          this.#waiting?.done()
          closed()
        },
      }).catch(() => null)
      if (phoenix !== null) {
        this.#joins.clear()
        this.#phoenix = phoenix
        await this.#lives(phoenix, whenClosed)
        this.#phoenix = null
      }
      await this.#pause(random.between(20, 150))
    }
  }

  /** Joins again and again on one socket. */
  async #lives(phoenix: Phoenix, whenClosed: Promise<void>): Promise<void> {
    let isOpen = true
    const closed = whenClosed.then(() => {
      isOpen = false
    })
    while (isOpen && !this.#gone.signal.aborted) {
      await this.#live(phoenix)
      await Promise.race([closed, this.#pause(this.#options.random.between(1, 80))])
    }
    phoenix.terminate()
    await closed
  }

  /** One join from its first message to its end. */
  async #live(phoenix: Phoenix): Promise<void> {
    const { random, jwtSecret, user } = this.#options
    const seconds = this.#restless && random.chance(0.4) ? random.between(2, 5) : LONG_TOKEN_S
    const { token, expires } = tokenFor(jwtSecret, user, seconds)
    const life = this.#begin(phoenix, token, expires)
    const tooLate = setTimeout(() => {
      if (life.subscription.joined === null) phoenix.terminate()
    }, JOIN_WITHIN_MS)
    const refreshes = seconds !== LONG_TOKEN_S && random.chance(0.5)
    const refresh = refreshes ? setTimeout(() => this.#refresh(phoenix, life), (seconds - 1) * 1000) : undefined
    const leave = random.chance(0.6)
      ? setTimeout(() => this.#leave(phoenix, life), random.between(500, 5_000))
      : undefined
    await life.over
    for (const timer of [tooLate, refresh, leave]) clearTimeout(timer)
    if (this.#waiting !== null) await this.#left()
  }

  #begin(phoenix: Phoenix, token: string, expires: number): Life {
    const { name, user, wanted } = this.#options
    const subscription: Subscription = {
      client: name,
      user,
      wanted,
      asked: performance.now(),
      joined: null,
      ended: null,
      why: '',
      expires,
      deliveries: [],
      held: new Map(),
    }
    let over = () => {}
    const ended = new Promise<void>((resolve) => {
      over = resolve
    })
    const changes = wanted.map(({ table, room }) => ({
      event: '*',
      schema: 'public',
      table,
      ...(room !== undefined && { filter: `room=eq.${room}` }),
    }))
    const payload = { config: { postgres_changes: changes, presence: { enabled: false } }, access_token: token }
    const joinRef = phoenix.send({ joinRef: null, topic: this.#topic, event: 'phx_join', payload })
    const life: Life = {
      joinRef,
      subscription,
      replica: new Replica(subscription, {
        url: this.#options.restUrl,
        key: this.#options.anonKey,
        token: this.#longToken(),
      }),
      over: ended,
      end: (why) => {
        if (subscription.ended === null && !this.#gone.signal.aborted) {
          subscription.ended = performance.now()
          subscription.why = why
        }
        life.replica.stop()
        over()
      },
    }
    this.subscriptions.push(subscription)
    this.#joins.set(joinRef, subscription)
    this.#life = life
    return life
  }

  #longToken(): string {
    return tokenFor(this.#options.jwtSecret, this.#options.user, LONG_TOKEN_S).token
  }

  #refresh(phoenix: Phoenix, life: Life): void {
    const { token, expires } = tokenFor(this.#options.jwtSecret, this.#options.user, LONG_TOKEN_S)
    life.subscription.expires = expires
    phoenix.send({ joinRef: life.joinRef, topic: this.#topic, event: 'access_token', payload: { access_token: token } })
  }

  /** Goes away in one of the ways in which people do. */
  #leave(phoenix: Phoenix, life: Life): void {
    if (!this.#restless) return
    const how = this.#options.random.pick(['leaves', 'joins over', 'closes', 'breaks'])
    life.end(`it ${how}`)
    if (how === 'closes') phoenix.close()
    else if (how === 'breaks') phoenix.terminate()
    else if (how === 'leaves') {
      const ref = phoenix.send({ joinRef: life.joinRef, topic: this.#topic, event: 'phx_leave', payload: {} })
      this.#waiting = { ref, done: () => {} }
    }
  }

  /** Waits for the answer to a leave. */
  #left(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#phoenix?.terminate(), JOIN_WITHIN_MS)
      const ref = this.#waiting?.ref ?? ''
      const done = () => {
        clearTimeout(timer)
        this.#waiting = null
        resolve()
      }
      this.#waiting = { ref, done }
    })
  }

  #message(message: Message): void {
    const life = this.#life
    if (message.ref !== null && message.ref === this.#waiting?.ref) this.#waiting.done()
    if (life === null || message.topic !== this.#topic) return
    const { event, payload } = message
    // A change carries no join's number: it belongs to the latest join that was answered.
    if (event === 'postgres_changes') this.#deliver(payload)
    else if (event === 'system' && payload.status === 'error') this.#told(life, `system: ${payload.message}`)
    else if (event === 'phx_reply') this.#answered(life, message)
    // Like the official clients: what bears the number of an earlier join concerns that one.
    else if (message.ref !== life.joinRef) return
    else if (event === 'phx_error' || event === 'phx_close') life.end(event)
  }

  /** A system message of an error: the channel may or may not follow; an application leaves and joins again. */
  #told(life: Life, why: string): void {
    life.end(why)
    this.#phoenix?.send({ joinRef: life.joinRef, topic: this.#topic, event: 'phx_leave', payload: {} })
  }

  #answered(life: Life, { ref, payload }: Message): void {
    const subscription = ref === null ? undefined : this.#joins.get(ref)
    if (subscription === undefined || subscription.joined !== null) return
    const isPresent = subscription === life.subscription
    if (payload.status === 'ok') {
      subscription.joined = performance.now()
      if (isPresent && subscription.ended === null) life.replica.readAll()
    } else if (isPresent) life.end(`refused: ${JSON.stringify(payload.response)}`)
  }

  #deliver(payload: Message['payload']): void {
    const owner = this.subscriptions.findLast(({ joined }) => joined !== null) ?? this.subscriptions.at(-1)
    if (owner === undefined) return
    // What the dialect writes; anything else shows up as a delivery that nobody can explain.
    const data = payload.data as { table: string; type: Operation; record?: Row; old_record?: Row }
    const row = (data.type === 'DELETE' ? data.old_record : data.record) ?? {}
    const version = data.type === 'DELETE' ? null : Number(row.version)
    const delivery = { at: performance.now(), table: data.table, id: Number(row.id), op: data.type, version }
    owner.deliveries.push(delivery)
    if (this.#life?.subscription === owner)
      this.#life.replica.apply(delivery, row.room === undefined ? null : Number(row.room))
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#gone.signal }).catch(() => {})
  }
}

interface Row {
  readonly id?: number
  readonly version?: number
  readonly room?: number
}
