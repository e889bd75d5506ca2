/** `watch`: one socket for all of them, each with its own list, told as snapshots. A cut, the background and a new login go unnoticed. */
import type { Runtime } from '../index.ts'
import { cloudError, failureOf } from './style.ts'
import type { Transport } from './transport.ts'
import { decode, isPlain, type Plain } from './values.ts'

declare const setTimeout: (run: () => void, delay: number) => number
declare const clearTimeout: (timer: number) => void

export interface Change {
  readonly id: number
  readonly dataType: string
  readonly queueType: string
  readonly docId: unknown
  readonly doc: unknown
  readonly updatedFields?: unknown
  readonly removedFields?: unknown
}

export interface Snapshot {
  readonly id: number
  readonly docChanges: readonly Change[]
  readonly docs: readonly unknown[]
  /** `init` for the first; undefined afterwards. */
  readonly type?: 'init'
}

export interface WatchOptions {
  readonly onChange: (snapshot: Snapshot) => void
  readonly onError: (error: unknown) => void
}

export interface Watcher {
  close(): Promise<void>
}

export interface WatchQuestion {
  readonly collection: string
  readonly query: Plain
  readonly order: readonly { readonly field: string; readonly direction: 'asc' | 'desc' }[]
  readonly limit: number | undefined
}

export interface Watches {
  open(question: WatchQuestion, options: WatchOptions): Watcher
}

interface Socket {
  send(text: string): void
  close(code?: number, reason?: string): void
  onopen: (() => void) | null
  onmessage: ((event: { readonly data: unknown }) => void) | null
  onclose: (() => void) | null
  readonly readyState: number
}

interface Event {
  readonly ID: number
  readonly DataType: string
  readonly QueueType: string
  readonly DocID: unknown
  readonly Doc: string
  readonly UpdatedFields?: string
  readonly removedFields?: string
}

interface Message {
  readonly watchId: string
  readonly msgType: string
  readonly msgData: {
    readonly queryID?: string
    readonly currEvent?: number
    readonly events?: readonly Event[]
    readonly code?: string
    readonly message?: string
  }
}

/** One watch as this side knows it. */
interface Member {
  readonly id: string
  readonly question: WatchQuestion
  readonly options: WatchOptions
  queryId: string | null
  current: number
  docs: Plain[]
  /** Asked for and not answered yet. */
  asking: boolean
}

const PING_MS = 10_000
const RETRY_FIRST_MS = 200
const RETRY_MOST_MS = 10_000
const LOGIN_CODES = ['CHECK_LOGIN_FAILED', 'SIGN_EXPIRED_ERROR', 'SIGN_INVALID_ERROR', 'SIGN_PARAM_INVALID']
const API = 'collection.watch'

export function createWatches(runtime: Runtime, transport: Transport): Watches {
  const members: Record<string, Member> = {}
  let count = 0
  let socket: Socket | null = null
  let ready = false
  let retry = RETRY_FIRST_MS
  let timer: number | null = null
  let silent = 0

  const all = (): Member[] => Object.keys(members).map((id) => members[id] as Member)
  const later = (run: () => void, delay: number): void => {
    if (timer !== null) clearTimeout(timer)
    timer = setTimeout(run, delay)
  }
  const send = (watchId: string, msgType: string, msgData: unknown): void => {
    const message = { watchId, requestId: `${watchId}-${msgType}-${Date.now()}`, msgType, msgData }
    socket?.send(JSON.stringify(message))
  }

  const ask = (member: Member): void => {
    if (!ready || member.asking) return
    member.asking = true
    const { collection, query, order, limit } = member.question
    if (member.queryId !== null) {
      send(member.id, 'REBUILD_WATCH', { collName: collection, queryID: member.queryId, eventID: member.current })
      return
    }
    const orderBy: Record<string, string> = {}
    order.forEach(({ field, direction }) => {
      orderBy[field] = direction
    })
    send(member.id, 'INIT_WATCH', { collName: collection, query: JSON.stringify(query), orderBy, limit })
  }

  const ping = (): void => {
    silent += 1
    // Two answers missed: the other side is gone, whatever the socket says.
    if (silent > 2) lost()
    else {
      send('', 'PING', null)
      later(ping, PING_MS)
    }
  }

  const lost = (): void => {
    const old = socket
    socket = null
    ready = false
    if (old !== null) {
      old.onclose = null
      old.onmessage = null
      old.close()
    }
    all().forEach((member) => {
      member.asking = false
    })
    if (all().length === 0) return
    later(connect, retry)
    retry = Math.min(retry * 2, RETRY_MOST_MS)
  }

  const connect = (): void => {
    if (socket !== null || all().length === 0) return
    runtime.connectivity
      .ready()
      .then(() => transport.call(API, 'auth.wsWebSign', { runtime: 'wx_mp' }))
      .then(({ data = {} }) => {
        if (socket !== null || all().length === 0) return
        const WebSocket = runtime.WebSocket as unknown as new (url: string) => Socket
        const made = new WebSocket(addressOf(transport.url, String(data.wsUrl)))
        socket = made
        made.onopen = () => {
          silent = 0
          send('', 'LOGIN', {
            envId: data.envId,
            accessToken: '',
            exMsgData: { signStr: data.signStr, secretVersion: 1 },
          })
        }
        made.onmessage = ({ data: text }) => {
          silent = 0
          take(JSON.parse(String(text)) as Message)
        }
        made.onclose = () => {
          if (socket === made) lost()
        }
      })
      .catch(() => later(connect, retry))
  }

  const take = (message: Message): void => {
    const { msgType, msgData, watchId } = message
    if (msgType === 'LOGIN_EVENT') {
      ready = true
      retry = RETRY_FIRST_MS
      later(ping, PING_MS)
      all().forEach(ask)
      return
    }
    const member = members[watchId]
    if (msgType === 'ERROR') fail(watchId, msgData)
    if (member === undefined) return
    if (msgType === 'INIT_EVENT') begin(member, msgData)
    if (msgType === 'NEXT_EVENT') {
      member.asking = false
      if (msgData.queryID !== undefined) member.queryId = msgData.queryID
      step(member, msgData.events ?? [])
    }
  }

  const begin = (member: Member, { queryID = '', currEvent = 1, events = [] }: Message['msgData']): void => {
    const again = member.current > 0
    member.asking = false
    member.queryId = queryID
    member.current = currEvent
    const changed = events.map((event) => ({ ...changeOf(event, undefined), id: currEvent }))
    member.docs = changed.map(({ doc }) => doc as Plain)
    tell(member, changed, again ? undefined : 'init')
  }

  const step = (member: Member, events: readonly Event[]): void => {
    for (let at = 0; at < events.length; ) {
      const id = (events[at] as Event).ID
      let end = at
      while (end < events.length && (events[end] as Event).ID === id) end += 1
      const group = events.slice(at, end)
      at = end
      if (id <= member.current) continue
      if (id > member.current + 1) {
        // Something is missing between what is known and this.
        ask(member)
        return
      }
      member.current = id
      tell(member, apply(member, group))
    }
  }

  const tell = (member: Member, docChanges: readonly Change[], type?: 'init'): void => {
    const docs = sorted(member).slice()
    const snapshot = { id: member.current, docChanges, docs, ...(type === undefined ? {} : { type }) }
    // What a callback does wrong is its own business: other watches go on.
    setTimeout(() => {
      if (members[member.id] === member) member.options.onChange(snapshot)
    }, 0)
  }

  const fail = (watchId: string, { code = '', message = '' }: Message['msgData']): void => {
    if (LOGIN_CODES.indexOf(code) !== -1) {
      // The permission ran out: a new one, and on.
      transport.session
        .token()
        .then((token) => transport.session.renew(token))
        .then(lost, lost)
      return
    }
    const member = members[watchId]
    if (member === undefined) return
    if (code === 'QUERYID_INVALID_ERROR') {
      member.queryId = null
      member.asking = false
      ask(member)
      return
    }
    delete members[watchId]
    member.options.onError(cloudError(API, -402001, `${code} ${message}`))
  }

  // Back from the background, or on another network: the old connection is dead although nothing says so.
  runtime.connectivity.onWake(() => {
    retry = 0
    lost()
    retry = RETRY_FIRST_MS
  })

  return {
    open(question, options) {
      if (typeof options.onChange !== 'function' || typeof options.onError !== 'function')
        throw failureOf(API, new TypeError('onChange and onError must be functions'))
      count += 1
      const id = `watch-${Date.now()}-${count}`
      const member: Member = { id, question, options, queryId: null, current: 0, docs: [], asking: false }
      members[id] = member
      if (ready) ask(member)
      else connect()
      return {
        close() {
          if (members[id] === undefined) return Promise.resolve()
          delete members[id]
          if (ready) send(id, 'CLOSE_WATCH', null)
          if (all().length === 0 && socket !== null) {
            const old = socket
            socket = null
            ready = false
            if (timer !== null) clearTimeout(timer)
            old.onclose = null
            // Whatever was said is on its way by then.
            setTimeout(() => old.close(1000), 0)
          }
          return Promise.resolve()
        },
      }
    },
  }
}

/** The server says where it is reached; behind a proxy that cuts paths off, the app knows better. */
const addressOf = (url: string, said: string): string => {
  const path = said.replace(/^wss?:\/\/[^/]+/, '')
  return `${url.replace(/^http/, 'ws').replace(/\/+$/, '')}${path.slice(path.lastIndexOf('/cloud/'))}`
}

const keyOf = (doc: Plain): unknown => doc['_id']

const changeOf = (event: Event, known: Plain | undefined): Change => {
  const doc = event.Doc === '' || event.Doc === '{}' ? known : decode(JSON.parse(event.Doc))
  return {
    id: event.ID,
    dataType: event.DataType,
    queueType: event.QueueType,
    docId: event.DocID,
    doc,
    ...(event.UpdatedFields === undefined ? {} : { updatedFields: decode(JSON.parse(event.UpdatedFields)) }),
    ...(event.removedFields === undefined ? {} : { removedFields: JSON.parse(event.removedFields) as unknown }),
  }
}

/** Works one step into the list. */
const apply = (member: Member, events: readonly Event[]): readonly Change[] => {
  let renewed = false
  return events.map((event) => {
    const at = indexOf(member.docs, event.DocID)
    const change = changeOf(event, at === -1 ? undefined : member.docs[at])
    const doc = change.doc as Plain
    if (event.QueueType === 'init') {
      if (!renewed) member.docs = []
      renewed = true
      member.docs.push(doc)
    } else if (event.QueueType === 'dequeue') {
      if (at !== -1) member.docs.splice(at, 1)
    } else if (at === -1) member.docs.push(doc)
    else member.docs[at] = doc
    return change
  })
}

const indexOf = (docs: readonly Plain[], id: unknown): number => {
  for (let at = 0; at < docs.length; at += 1) if (keyOf(docs[at] as Plain) === id) return at
  return -1
}

/** In the order that was asked for; without one, as they came. */
const sorted = ({ docs, question: { order } }: Member): readonly Plain[] => {
  if (order.length === 0) return docs
  const compare = (left: Plain, right: Plain): number => {
    for (const { field, direction } of order) {
      const difference = compareValues(memberAt(left, field), memberAt(right, field))
      if (difference !== 0) return direction === 'desc' ? -difference : difference
    }
    return 0
  }
  return docs
    .map((doc, at) => ({ doc, at }))
    .sort((a, b) => compare(a.doc, b.doc) || a.at - b.at)
    .map(({ doc }) => doc)
}

const memberAt = (doc: unknown, path: string): unknown =>
  path
    .split('.')
    .reduce(
      (value: unknown, name) => (isPlain(value) || Array.isArray(value) ? (value as Plain)[name] : undefined),
      doc,
    )

const KINDS = ['undefined', 'number', 'string', 'object', 'boolean', 'date']

const kindOf = (value: unknown): number => {
  if (value === null || value === undefined) return 0
  return Object.prototype.toString.call(value) === '[object Date]' ? 5 : KINDS.indexOf(typeof value)
}

const compareValues = (left: unknown, right: unknown): number => {
  const kinds = kindOf(left) - kindOf(right)
  if (kinds !== 0) return kinds
  const [a, b] = [left as number, right as number]
  return a < b ? -1 : a > b ? 1 : 0
}
