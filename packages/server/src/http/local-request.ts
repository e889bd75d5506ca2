/** Tells a request that this very machine made to itself from one that came through a network, a proxy, somebody else's page, or a name that somebody else pointed here. */
import type { IncomingHttpHeaders } from 'node:http'
import { BlockList, isIP } from 'node:net'
import { LRUCache } from 'lru-cache'

/** The parts of a request, or of an upgrade, that say where it came from. */
export interface Arrived {
  readonly headers: IncomingHttpHeaders
  readonly socket: { readonly remoteAddress?: string | undefined }
}

const loopback = new BlockList()
loopback.addAddress('::1', 'ipv6')

/**
 * An IPv4 address that arrived on an IPv6 socket is that IPv4 address. Four addresses are looked at for each request: the list knows every
 * spelling but takes 2.0 µs, so it is asked only about what is not in the usual one (0.1 µs).
 */
const isLoopbackAddress = (address: string): boolean => {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '')
  const family = isIP(plain)
  if (family === 4) return plain.startsWith('127.')
  return family === 6 && (plain === '::1' || loopback.check(plain, 'ipv6'))
}

/** The few names under which a server is reached come with every request. */
const knownHosts = new LRUCache<string, boolean>({ max: 100 })

const isLoopbackHost = (host: string): boolean => {
  const known = knownHosts.get(host)
  if (known !== undefined) return known
  const name = host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1')
  const answer = name.toLowerCase() === 'localhost' || isLoopbackAddress(name)
  if (host.length < 300) knownHosts.set(host, answer)
  return answer
}

/** Any of them means that somebody else spoke first: a proxy on 127.0.0.1 serves the public. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via']

export const isLocalRequest = ({ headers, socket }: Arrived): boolean =>
  isLoopbackAddress(socket.remoteAddress ?? '') &&
  isLoopbackHost(headers.host ?? '') &&
  FORWARDED.every((name) => headers[name] === undefined) &&
  isOwnPage(headers)

/** Any website may make its visitor's browser ask this machine. Browsers say so: in Origin, and where that is missing, in Sec-Fetch-Site. */
const isOwnPage = ({ origin, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean => {
  if (origin === undefined) return site !== 'cross-site'
  return URL.canParse(origin) && isLoopbackHost(new URL(origin).hostname)
}
