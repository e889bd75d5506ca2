/** Starts and stops a sandbox. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Control, createControl } from './control/control.ts'
import { isLoopbackHost } from './http/exposure.ts'
import { createHttpServer } from './http/server.ts'
import { type Clock, systemClock } from './kernel/clock.ts'
import type { AppInput, Limits } from './settings.ts'
import { isName } from './state/people.ts'
import { createWorld } from './world.ts'

export interface SandboxOptions {
  /** 0, the default, takes a free port. */
  readonly port?: number
  readonly host?: string
  readonly clock?: Clock
  readonly apps: readonly AppInput[]
  /** Makes keys, tokens and ids repeatable. */
  readonly seed?: string
  readonly limits?: Partial<Limits>
  /** Codes like `wxcode:alice:1` are good without having been issued; true by default. */
  readonly acceptNamedCodes?: boolean
  /** Serves the local network, not only this machine. Whoever reaches it can be anybody: for testing with other devices only. */
  readonly lan?: boolean
  /** Names of people who used the apps before: openids that are stored somewhere stay good over a restart. */
  readonly people?: readonly string[]
  /** Hears the name of everybody new, to be given back as `people` at the next start. */
  readonly onNewPerson?: (name: string) => void
  readonly onProblem?: (error: unknown) => void
}

export interface Sandbox {
  /** What an app's server calls instead of https://api.weixin.qq.com; without a trailing slash. */
  readonly url: string
  readonly control: Control
  /** Closes every connection, also those that a fault keeps silent. Safe to call twice. */
  stop(): Promise<void>
}

/** Starts one and resolves once it accepts requests. Throws RangeError for a host that needs `lan`. */
export const startSandbox = async (options: SandboxOptions): Promise<Sandbox> => {
  const { host = '127.0.0.1', lan = false } = options
  if (!lan && !isLoopbackHost(host))
    throw new RangeError(`the WeChat sandbox listens on ${host} only when it may serve the network (lan)`)
  const world = createWorld({
    clock: options.clock ?? systemClock,
    seed: options.seed,
    apps: options.apps,
    limits: options.limits ?? {},
    acceptNamedCodes: options.acceptNamedCodes ?? true,
    people: (options.people ?? []).filter(isName),
    onNewPerson: options.onNewPerson,
  })
  const control = createControl(world)
  const onProblem =
    options.onProblem ?? ((error: unknown) => process.stderr.write(`wechat sandbox: ${String(error)}\n`))
  const server = createHttpServer({ world, control, lan, onProblem })
  await listen(server, options.port ?? 0, host)
  return {
    url: urlOf(server, host),
    control,
    stop: async () => {
      world.pusher.clear()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

const listen = (server: Server, port: number, host: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })

const urlOf = (server: Server, host: string): string => {
  // A TCP server's address is always of this kind.
  const { port } = server.address() as AddressInfo
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}
