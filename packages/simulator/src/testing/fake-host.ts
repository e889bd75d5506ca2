/** A host without network, disk or screen: the test plays the server. */
import type { Host, HttpCall, HttpEvents, SocketCall, SocketEvents } from '../wx/host.ts'

/** An HTTP exchange the core started. */
export interface FakeExchange {
  readonly call: HttpCall
  readonly events: HttpEvents
  aborted: boolean
  /** Answers with a status and a text. */
  answer(status: number, text: string, headers?: readonly (readonly [string, string])[]): void
}

/** A socket the core opened. */
export interface FakeSocket {
  readonly call: SocketCall
  readonly events: SocketEvents
  readonly sent: (string | Uint8Array)[]
  closed: { code: number; reason: string } | null
  terminated: boolean
}

export interface FakeHost extends Host {
  readonly exchanges: FakeExchange[]
  readonly sockets: FakeSocket[]
  readonly logs: { level: string; parts: readonly unknown[] }[]
  readonly saved: Map<string, string | null>
}

/** Makes one. */
export function fakeHost(): FakeHost {
  const exchanges: FakeExchange[] = []
  const sockets: FakeSocket[] = []
  const logs: FakeHost['logs'] = []
  const saved: FakeHost['saved'] = new Map()
  const nothing = () => {}
  return {
    exchanges,
    sockets,
    logs,
    saved,
    user: 'alice',
    hooks: {},
    now: () => Date.now(),
    setTimeout: (run, delay) => setTimeout(run, delay),
    clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
    turn: (run) => void setImmediate(run),
    log: (level, ...parts) => void logs.push({ level, parts }),
    network: {
      http: (call, events) => {
        const exchange: FakeExchange = {
          call,
          events,
          aborted: false,
          answer: (status, text, headers = []) => {
            events.head(status, headers)
            events.data(Buffer.from(text))
            events.end()
          },
        }
        exchanges.push(exchange)
        return {
          abort: () => {
            exchange.aborted = true
          },
        }
      },
      socket: (call, events) => {
        const socket: FakeSocket = { call, events, sent: [], closed: null, terminated: false }
        sockets.push(socket)
        return {
          send: (data) => void socket.sent.push(data),
          close: (code, reason) => {
            socket.closed = { code, reason }
          },
          terminate: () => {
            socket.terminated = true
          },
        }
      },
    },
    persistence: {
      loadStorage: () => [],
      saveStorage: (key, text) => void saved.set(key, text),
      loadFiles: () => [],
      saveFile: nothing,
      packageFile: (path) => (path === '/app.json' ? Buffer.from('{}') : null),
    },
    ui: {
      showToast: nothing,
      hideToast: nothing,
      showModal: (_, done) => done({ confirm: true }),
      showActionSheet: (_items, _color, done) => done(-1),
      previewImage: nothing,
      chooseFiles: (_, done) => done(null),
      imageSize: (_, done) => done(null),
      compressImage: (_bytes, _quality, _width, done) => done(null),
      clipboard: { get: () => '', set: nothing },
    },
    device: () => ({
      brand: 'devtools',
      model: 'iPhone 8',
      system: 'iOS 17.0',
      platform: 'devtools',
      pixelRatio: 2,
      screenWidth: 375,
      screenHeight: 667,
      windowWidth: 375,
      windowHeight: 603,
      statusBarHeight: 20,
      safeBottom: 0,
      language: 'zh_CN',
      theme: 'light',
    }),
  }
}
