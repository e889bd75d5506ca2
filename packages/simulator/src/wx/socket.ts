/** wx.connectSocket, SocketTask and the older global socket functions. */
import { isArrayBuffer, toArrayBuffer, utf8Encode } from './bytes.ts'
import {
  arrayOf,
  asyncApi,
  type Delivery,
  flagOf,
  Listeners,
  numberOf,
  type Options,
  optionsOf,
  type Settle,
  settler,
  stringOf,
  wrongParameter,
} from './call.ts'
import { urlRefusal } from './domains.ts'
import { requestHeaders, responseHeader } from './headers.ts'
import type { HostSocket } from './host.ts'
import type { Phone } from './phone.ts'

const CONNECTING = 0
const OPEN = 1
const CLOSING = 2
const CLOSED = 3

/** One connection: state, host socket and listeners. The task handed to the app wraps it. */
class Connection {
  readonly phone: Phone
  readonly open: Listeners
  readonly message: Listeners
  readonly close: Listeners
  readonly error: Listeners
  state = CONNECTING
  socket: HostSocket | null = null
  onGone: () => void = () => {}

  constructor(phone: Phone) {
    this.phone = phone
    this.open = new Listeners(phone)
    this.message = new Listeners(phone)
    this.close = new Listeners(phone)
    this.error = new Listeners(phone)
  }

  /** The connection is over: tells once, and only once. */
  end(code: number, reason: string): void {
    if (this.state === CLOSED) return
    this.state = CLOSED
    this.onGone()
    this.close.emit({ code, reason })
  }

  break(message: string): void {
    if (this.state === CLOSED) return
    this.error.emit({ errMsg: message })
    this.end(1006, 'abnormal closure')
    this.socket?.terminate()
  }

  send(options: Options, settle: Settle) {
    const planned = this.phone.takeFailure('sendSocketMessage')
    if (planned) return settle.fail(planned.reason)
    if (this.state !== OPEN) return settle.fail('SocketTask.readyState is not OPEN')
    const data = options.data
    if (typeof data === 'string') this.socket?.send(data)
    else if (isArrayBuffer(data)) this.socket?.send(new Uint8Array(data.slice(0)))
    else return settle.fail('parameter error: parameter.data should be String or ArrayBuffer;')
    settle.ok()
  }

  shut(options: Options, settle: Settle) {
    const code = numberOf(options.code, 1000)
    const reason = stringOf(options.reason)
    if (code !== 1000 && (code < 3000 || code > 4999))
      return settle.fail(`The code must be either 1000, or between 3000 and 4999. ${code} is neither.`)
    if (utf8Encode(reason).length > 123) return settle.fail('The message must not be greater than 123 bytes.')
    if (this.state >= CLOSING) return settle.fail('SocketTask.readyState is not OPEN or CONNECTING')
    this.state = CLOSING
    if (this.socket) this.socket.close(code, reason)
    else this.end(code, reason)
    settle.ok()
  }
}

/** Callbacks only, no promise: what SocketTask.send and close take. */
function taskMethod(name: string, delivery: Delivery, run: (options: Options, settle: Settle) => void) {
  return (raw?: unknown): void => {
    const options = optionsOf(raw)
    run(options, settler(name, options, delivery))
  }
}

function socketTask(connection: Connection) {
  const { phone } = connection
  const task = {
    send: taskMethod('sendSocketMessage', phone, (options, settle) => connection.send(options, settle)),
    close: taskMethod('closeSocket', phone, (options, settle) => connection.shut(options, settle)),
    onOpen: connection.open.on,
    onMessage: connection.message.on,
    onClose: connection.close.on,
    onError: connection.error.on,
  }
  let warned = false
  const readyState = () => {
    if (!phone.settings.socketReadyState) return undefined
    if (!warned) phone.host.log('warn', 'SocketTask.readyState is not documented; devices have it today')
    warned = true
    return connection.state
  }
  Object.defineProperty(task, 'readyState', { get: readyState, enumerable: false, configurable: true })
  return task
}

/** Opens the host's socket after the app had a turn to add its listeners. */
function connect(connection: Connection, options: Options): void {
  const { phone } = connection
  const { headerCase, limits } = phone.settings
  const timer = phone.clock.start(() => connection.break('timeout'), numberOf(options.timeout, limits.requestTimeout), {
    app: false,
  })
  const ended = connection.onGone
  connection.onGone = () => {
    phone.clock.stop(timer)
    ended()
  }
  connection.socket = phone.host.network.socket(
    {
      url: stringOf(options.url),
      protocols: arrayOf(options.protocols).map(String),
      headers: requestHeaders(options.header, phone.settings, null),
      perMessageDeflate: flagOf(options.perMessageDeflate),
    },
    {
      open: (headers) => {
        if (connection.state !== CONNECTING) return
        phone.clock.stop(timer)
        connection.state = OPEN
        connection.open.emit({ header: responseHeader(headers, headerCase), profile: {} })
      },
      message: (data) => {
        if (connection.state === OPEN || connection.state === CLOSING)
          connection.message.emit({ data: typeof data === 'string' ? data : toArrayBuffer(data) })
      },
      close: (code, reason) => connection.end(code, reason),
      error: (message) => connection.break(message),
    },
  )
}

/** Builds connectSocket and the global functions, which speak of the first socket that is still there. */
export function createSockets(phone: Phone) {
  const live = new Set<Connection>()
  const global = {
    open: new Listeners(phone),
    message: new Listeners(phone),
    close: new Listeners(phone),
    error: new Listeners(phone),
  }
  const connectSocket = (raw?: unknown) => {
    const options = optionsOf(raw)
    const settle = settler('connectSocket', options, phone)
    const connection = new Connection(phone)
    const refusal = refuseSocket(options, phone, live.size)
    if (refusal) {
      settle.fail(refusal.reason, refusal.errno === undefined ? {} : { errno: refusal.errno })
      phone.deliver(() => connection.break(refusal.reason))
      return socketTask(connection)
    }
    track(phone, connection, live)
    if (live.size === 1) forward(connection, global)
    settle.ok({ socketTaskId: live.size })
    phone.host.setTimeout(() => {
      if (connection.state === CONNECTING) connect(connection, options)
    }, 0)
    return socketTask(connection)
  }
  const first = () => live.values().next().value
  return {
    connectSocket,
    sendSocketMessage: asyncApi('sendSocketMessage', phone, (options, settle) => {
      const connection = first()
      if (connection) connection.send(options, settle)
      else settle.fail('WebSocket is not connected')
    }),
    closeSocket: asyncApi('closeSocket', phone, (options, settle) => {
      const connection = first()
      if (connection) connection.shut(options, settle)
      else settle.fail('WebSocket is not connected')
    }),
    onSocketOpen: global.open.on,
    onSocketMessage: global.message.on,
    onSocketClose: global.close.on,
    onSocketError: global.error.on,
  }
}

function refuseSocket(options: Options, phone: Phone, open: number): { reason: string; errno?: number } | null {
  const wrong = wrongParameter(options, 'url', 'String')
  if (wrong) return { reason: wrong, errno: 1001 }
  const planned = phone.takeFailure('connectSocket')
  if (planned) return planned
  const url = urlRefusal(stringOf(options.url), 'socket', phone.settings)
  if (url) return url
  // Connecting and closing sockets count as well: a leaked task keeps its place.
  if (open >= phone.settings.limits.sockets) return { reason: 'exceed max task count' }
  return phone.networkRefusal()
}

function track(phone: Phone, connection: Connection, live: Set<Connection>): void {
  live.add(connection)
  const untrack = phone.track({ interrupt: (why) => connection.break(why) })
  connection.onGone = () => {
    untrack()
    live.delete(connection)
  }
}

function forward(connection: Connection, global: Record<'open' | 'message' | 'close' | 'error', Listeners>): void {
  connection.open.on((result: unknown) => global.open.emitNow(result))
  connection.message.on((result: unknown) => global.message.emitNow(result))
  connection.close.on((result: unknown) => global.close.emitNow(result))
  connection.error.on((result: unknown) => global.error.emitNow(result))
}
