/** Who may reach the sandbox at all: it hands out identities, so by default only this very machine, and nobody through a proxy. */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

const PROXY_HEADERS = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via']

/** An IPv4 address that arrived on an IPv6 socket is that IPv4 address. */
const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')

const listed = (list: BlockList, address: string): boolean => {
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

export const isLoopback = (address: string): boolean => listed(loopback, plainAddress(address))

/** The networks that this machine is in, as they are now: laptops move. */
const localNetworks = (): BlockList => {
  const list = new BlockList()
  for (const { cidr, family } of Object.values(networkInterfaces()).flatMap((each) => each ?? [])) {
    const [network, bits] = cidr?.split('/') ?? []
    if (network !== undefined && bits !== undefined)
      list.addSubnet(network, Number(bits), family === 'IPv4' ? 'ipv4' : 'ipv6')
  }
  return list
}

const isLocal = (address: string): boolean => isLoopback(address) || listed(localNetworks(), plainAddress(address))

/** `localhost`, `127.x.y.z` or `[::1]`, with any port: any other name may have been pointed here by somebody else. */
export const isLoopbackHost = (host: string): boolean => {
  const name = host
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
  return name === 'localhost' || isLoopback(name)
}

/** Why this request is not admitted, or null. */
export const exposureRefusal = (request: IncomingMessage, { lan }: { readonly lan: boolean }): string | null => {
  const peer = request.socket.remoteAddress ?? ''
  if (lan) return isLocal(peer) ? null : 'The WeChat sandbox answers only its own network.'
  if (!isLoopback(peer)) return 'The WeChat sandbox answers only its own machine.'
  if (!isLoopbackHost(request.headers.host ?? '')) return 'The WeChat sandbox answers only to a loopback Host.'
  if (PROXY_HEADERS.some((name) => request.headers[name] !== undefined))
    return 'The WeChat sandbox does not answer through a proxy.'
  return null
}

/** True when a page of another site sent this: pages on the same machine must not mint identities for a visitor. */
export const isForeignPage = (request: IncomingMessage): boolean => {
  const { origin, host } = request.headers
  if (origin === undefined) return request.headers['sec-fetch-site'] === 'cross-site'
  return !URL.canParse(origin) || new URL(origin).host !== host
}
