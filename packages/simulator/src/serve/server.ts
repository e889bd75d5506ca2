/** Serves a project: the phone's page, its scripts, its files, the network proxy, and a signal when files change. */
import { randomBytes } from 'node:crypto'
import { createReadStream, watch } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { type BuildResult, buildProject } from '../build/build.ts'
import { askSandbox, type SandboxPhone } from '../net/wechat.ts'
import type { SettingsInput } from '../wx/settings.ts'
import type { SandboxAsk } from '../wx/wechat.ts'
import { barePage, framePage } from './page.ts'
import { bodyOf, proxyHttp, proxySocket } from './proxy.ts'
import { appScript, runtimeScript } from './scripts.ts'
import { contentType } from './types.ts'

export interface SimulatorOptions {
  readonly dir: string
  /** 0, the default, takes a free port. */
  readonly port?: number
  readonly host?: string
  /** Rebuild and reload when files change. */
  readonly watch?: boolean
  readonly settings?: SettingsInput
  /** A WeChat sandbox: wx.login and phone numbers get their codes there. */
  readonly wechat?: Omit<SandboxPhone, 'user'>
  readonly onProblem?: (text: string) => void
}

export interface Simulator {
  readonly url: string
  /** Builds again and reloads open pages. */
  reload(): Promise<void>
  stop(): Promise<void>
}

/** Starts serving. Resolves when the project is built and requests are accepted. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const serving = new Serving(options)
  await serving.build()
  return serving.listen()
}

class Serving {
  readonly #options: SimulatorOptions
  readonly #token = randomBytes(16).toString('hex')
  readonly #listeners = new Set<ServerResponse>()
  readonly #sockets = new WebSocketServer({ noServer: true })
  readonly #server: Server
  #runtime: Promise<string> | null = null
  #built: BuildResult | null = null
  #script = ''

  constructor(options: SimulatorOptions) {
    this.#options = options
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        options.onProblem?.(String(error))
        response.destroy()
      })
    })
    this.#server.on('upgrade', (request, socket, head) => {
      const url = new URL(request.url ?? '/', 'http://simulator')
      if (url.pathname !== '/__sim/socket' || url.searchParams.get('token') !== this.#token) return socket.destroy()
      this.#sockets.handleUpgrade(request, socket, head, (page: WebSocket) =>
        proxySocket(page, url.searchParams.get('call') ?? ''),
      )
    })
  }

  async build(): Promise<void> {
    this.#built = await buildProject(this.#options.dir, { hideGlobals: true, views: true })
    this.#script = appScript(this.#built)
    for (const problem of this.#built.bundle.problems)
      this.#options.onProblem?.(`${problem.level}: ${problem.file}: ${problem.message}`)
  }

  async listen(): Promise<Simulator> {
    const host = this.#options.host ?? '127.0.0.1'
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#options.port ?? 0, host, resolve)
    })
    // A TCP server's address is always of this kind.
    const { port } = this.#server.address() as AddressInfo
    const stopWatching = this.#options.watch === false ? () => {} : this.#watch()
    const shown = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
    return {
      url: `http://${shown.includes(':') ? `[${shown}]` : shown}:${port}/`,
      reload: () => this.#reload(),
      stop: async () => {
        stopWatching()
        for (const response of this.#listeners) response.end()
        for (const socket of this.#sockets.clients) socket.terminate()
        this.#server.closeAllConnections()
        await new Promise<void>((resolve) => this.#server.close(() => resolve()))
      },
    }
  }

  #watch(): () => void {
    let timer: NodeJS.Timeout | null = null
    const watcher = watch(this.#options.dir, { recursive: true }, (_, name) => {
      if (!name || /(^|[\\/])(node_modules|\.[^\\/]*)([\\/]|$)/.test(name)) return
      if (timer) clearTimeout(timer)
      // Editors write in bursts; one build an instant after the last write is enough.
      timer = setTimeout(() => {
        this.#reload().catch((error: unknown) => this.#options.onProblem?.(String(error)))
      }, 120)
    })
    return () => {
      if (timer) clearTimeout(timer)
      watcher.close()
    }
  }

  async #reload(): Promise<void> {
    await this.build()
    for (const response of this.#listeners) response.write('data: reload\n\n')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#admits(request)) return void response.writeHead(403).end()
    const url = new URL(request.url ?? '/', 'http://simulator')
    const send = (type: string, text: string) =>
      void response.writeHead(200, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store' }).end(text)
    const page = { title: this.#built?.bundle.projectName ?? '', token: this.#token }
    if (url.pathname === '/') return send('text/html', url.searchParams.has('bare') ? barePage(page) : framePage(page))
    if (url.pathname === '/__sim/app.js') return send('text/javascript', this.#appScript())
    if (url.pathname === '/__sim/runtime.js') {
      this.#runtime ??= runtimeScript()
      return send('text/javascript', await this.#runtime)
    }
    if (url.pathname === '/__sim/events') return this.#subscribe(request, response)
    if (url.pathname === '/__sim/http') {
      if (request.headers['x-sim-token'] === this.#token) return proxyHttp(request, response)
      return void response.writeHead(403).end()
    }
    if (url.pathname === '/__sim/wechat') return this.#askWechat(request, response)
    if (url.pathname.startsWith('/__app/')) return this.#file(decodeURIComponent(url.pathname.slice(6)), response)
    response.writeHead(404).end()
  }

  /** A name that leads here by a stranger's DNS is refused: the page holds the key to the proxy. */
  #admits(request: IncomingMessage): boolean {
    const host = (request.headers.host ?? '').replace(/:\d+$/, '')
    return host === 'localhost' || host === this.#options.host || isIP(host.replace(/^\[|\]$/g, '')) !== 0
  }

  #appScript(): string {
    const { settings = {}, wechat } = this.#options
    return `__teahouse_settings=${JSON.stringify(settings)};__teahouse_wechat=${wechat !== undefined};\n${this.#script}`
  }

  async #askWechat(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { wechat } = this.#options
    const admitted = request.headers['x-sim-token'] === this.#token && wechat !== undefined
    if (!admitted) return void response.writeHead(403).end()
    // The peer is our own runtime, admitted by token: its message has the shape it was written to send.
    const asked = JSON.parse((await bodyOf(request)).toString('utf8')) as SandboxAsk
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.end(JSON.stringify(await askSandbox(wechat, asked)))
  }

  #subscribe(request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write(': listening\n\n')
    this.#listeners.add(response)
    request.on('close', () => this.#listeners.delete(response))
  }

  #file(path: string, response: ServerResponse): void {
    const hidden = /(^|\/)(\.|node_modules(\/|$))/.test(path)
    const file = hidden ? null : this.#built?.project.files.locate(path)
    if (!file) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-type': contentType(path), 'cache-control': 'no-store' })
    createReadStream(file).pipe(response)
  }
}
