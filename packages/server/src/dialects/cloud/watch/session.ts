/** One socket of CloudBase's watch: a login, then any number of watches, each with its own numbers. One JSON message for each frame. */
import { DocumentError, type OrderBy } from '../../../data/documents/documents.ts'
import { fromJsonText } from '../../../data/documents/ejson.ts'
import { isDoc, newDoc } from '../../../expr/bson/value.ts'
import type { Caller } from '../../../identity/caller.ts'
import { isObject, type JsonObject, parseJson } from '../../../kernel/json.ts'
import { type Connection, type ConnectionEvents, closeCodes } from '../../../sockets/connection.ts'
import { textFrame } from '../../../sockets/frame.ts'
import { CloudError, wireErrorOf } from '../errors.ts'
import { orderOf } from '../requests.ts'
import type { WireEvent } from './events.ts'
import type { KeptWatch, WatchClient } from './kept-watch.ts'
import type { Watches } from './watches.ts'

export interface SessionOptions {
  readonly connection: Connection
  readonly watches: Watches
  /** The caller that a login proves. Throws CloudError. */
  readonly authenticate: (signStr: string) => Promise<Caller>
  /** Calls back when the caller's proofs are gone; answers how to stop. */
  readonly onGone: (caller: Caller, gone: () => void) => () => void
  readonly onError: (error: unknown) => string
  readonly env: string
}

interface Message {
  readonly watchId: string
  readonly requestId: string
  readonly msgType: string
  readonly msgData: JsonObject
}

const MAX_WATCHES = 100

export class WatchSession implements ConnectionEvents, WatchClient {
  readonly #options: SessionOptions
  readonly #watches = new Map<string, KeptWatch>()
  #caller: Caller | null = null
  #forget: () => void = () => {}

  constructor(options: SessionOptions) {
    this.#options = options
  }

  // --- from the socket

  text(frame: string): void {
    const message = messageOf(frame)
    if (message === null) this.#options.connection.close(closeCodes.policy, 'this is not a message')
    else this.#answer(message).catch((error: unknown) => this.#refuse(message, error))
  }

  binary(): void {
    this.#options.connection.close(closeCodes.policy, 'messages are text')
  }

  closed(): void {
    this.#forget()
    for (const watch of this.#watches.values()) {
      watch.detach(this)
      this.#options.watches.left(watch)
    }
  }

  // --- from a watch

  next(watch: KeptWatch, events: readonly WireEvent[]): void {
    const watchId = this.#idOf(watch)
    if (watchId !== null) this.#send({ watchId, msgType: 'NEXT_EVENT', msgData: eventsOf(watch, events) })
  }

  failed(watch: KeptWatch, reason: string): void {
    const watchId = this.#idOf(watch)
    if (watchId === null) return
    this.#watches.delete(watchId)
    this.#send({ watchId, msgType: 'ERROR', msgData: { code: 'SYS_ERR', message: reason } })
  }

  #idOf(watch: KeptWatch): string | null {
    for (const [watchId, each] of this.#watches) if (each === watch) return watchId
    return null
  }

  async #answer(message: Message): Promise<void> {
    const reply = (msgType: string, msgData: object): void =>
      this.#send({ watchId: message.watchId, requestId: message.requestId, msgType, msgData })
    switch (message.msgType) {
      case 'PING':
        return reply('PONG', {})
      case 'LOGIN':
        return reply('LOGIN_EVENT', await this.#login(message))
      case 'INIT_WATCH':
        return reply('INIT_EVENT', await this.#init(message))
      case 'REBUILD_WATCH':
        return reply('NEXT_EVENT', await this.#rebuild(message))
      case 'CHECK_LAST':
        return reply('CHECK_EVENT', { currEvent: this.#known(message).current })
      case 'CLOSE_WATCH':
        return this.#close(message)
      default:
        throw new CloudError('INVALID_PARAM', `${message.msgType} is not known`)
    }
  }

  async #login({ msgData }: Message): Promise<object> {
    const { signStr } = isObject(msgData.exMsgData) ? msgData.exMsgData : {}
    this.#caller = await this.#options.authenticate(typeof signStr === 'string' ? signStr : '')
    this.#forget()
    // The client comes again with new proofs, and goes on where it was.
    this.#forget = this.#options.onGone(this.#caller, () =>
      this.#options.connection.close(closeCodes.goingAway, 'log in again'),
    )
    return { envId: this.#options.env }
  }

  #requireCaller(): Caller {
    if (this.#caller === null) throw new CloudError('CHECK_LOGIN_FAILED', 'log in first')
    return this.#caller
  }

  async #init({ watchId, msgData }: Message): Promise<object> {
    const caller = this.#requireCaller()
    if (this.#watches.size >= MAX_WATCHES)
      throw new CloudError('EXCEED_REQUEST_LIMIT', `at most ${MAX_WATCHES} watches for a socket`)
    const { collName, query, orderBy, limit } = msgData
    if (typeof collName !== 'string') throw new CloudError('INVALID_PARAM', 'collName must be a text')
    const wanted = typeof query === 'string' && query !== '' ? fromJsonText(query) : newDoc()
    if (!isDoc(wanted)) throw new CloudError('INVALID_PARAM', 'query must be an object')
    const watch = await this.#options.watches.open(caller, {
      collection: collName,
      query: wanted,
      order: stepsOf(orderBy),
      limit: typeof limit === 'number' && Number.isInteger(limit) && limit > 0 ? limit : null,
    })
    this.#take(watchId, watch)
    return eventsOf(watch, watch.all(0))
  }

  async #rebuild({ watchId, msgData }: Message): Promise<object> {
    const caller = this.#requireCaller()
    const { queryID, eventID } = msgData
    const [at, asked] = [typeof eventID === 'number' ? eventID : -1, String(queryID)]
    const found = this.#options.watches.find(caller, asked)
    const missed = found?.since(at) ?? null
    if (found !== null && missed !== null) {
      this.#take(watchId, found)
      return eventsOf(found, missed)
    }
    // Kept too shortly, or by another node: the client takes the whole list again.
    const watch = found ?? (await this.#options.watches.reopen(caller, asked))
    this.#take(watchId, watch)
    const events = watch.restart(at)
    // An empty list cannot be said as a step: the client would keep what it has.
    if (events.length === 0) throw new CloudError('QUERYID_INVALID_ERROR', 'the watch is not known any more')
    return eventsOf(watch, events)
  }

  #take(watchId: string, watch: KeptWatch): void {
    const before = this.#watches.get(watchId)
    if (before !== undefined && before !== watch) this.#options.watches.drop(before)
    this.#watches.set(watchId, watch)
    watch.attach(this)
  }

  #known({ watchId }: Message): KeptWatch {
    const watch = this.#watches.get(watchId)
    if (watch === undefined) throw new CloudError('QUERYID_INVALID_ERROR', 'the watch is not known')
    return watch
  }

  #close({ watchId }: Message): void {
    const watch = this.#watches.get(watchId)
    if (watch === undefined) return
    this.#watches.delete(watchId)
    this.#options.watches.drop(watch)
  }

  #refuse({ watchId, requestId }: Message, error: unknown): void {
    const denied = error instanceof DocumentError && error.reason === 'permission_denied'
    const known = denied ? { code: 'COLLECTION_PERMISSION_DENIED', message: error.message } : wireErrorOf(error)
    const msgData = known ?? {
      code: 'SYS_ERR',
      message: `Something went wrong here. Id: ${this.#options.onError(error)}`,
    }
    this.#send({ watchId, requestId, msgType: 'ERROR', msgData })
  }

  #send(message: object): void {
    this.#options.connection.send(textFrame(JSON.stringify(message)))
  }
}

const eventsOf = (watch: KeptWatch, events: readonly WireEvent[]) => ({
  queryID: watch.queryId,
  currEvent: watch.current,
  events,
})

/** `{"field": "desc"}`. */
const stepsOf = (orderBy: unknown): readonly OrderBy[] =>
  isObject(orderBy)
    ? orderOf(Object.entries(orderBy).map(([field, direction]) => ({ field, direction: String(direction) })))
    : []

const messageOf = (frame: string): Message | null => {
  const message = parseJson(frame)
  if (!isObject(message) || typeof message.msgType !== 'string') return null
  const { watchId, requestId, msgType, msgData, exMsgData } = message
  return {
    watchId: typeof watchId === 'string' ? watchId : '',
    requestId: typeof requestId === 'string' ? requestId : '',
    msgType,
    // Beside the message's own data in some SDKs, inside of it in others.
    msgData: { ...(exMsgData === undefined ? {} : { exMsgData }), ...(isObject(msgData) ? msgData : {}) },
  }
}
