/** The address under which the client of a request reaches this server: what links in answers begin with. */
import { BlockList, isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'

export interface ExternalUrlOptions {
  /** Addresses and networks of proxies whose X-Forwarded headers are believed. */
  readonly trustedProxies: readonly string[]
  /** What the operator says; null when they do not. */
  readonly configured: string | null
}

/** Without a slash at its end. */
export type ExternalUrl = (request: FastifyRequest) => string

/**
 * A proxy's word counts only from a trusted proxy: anybody else could make our links lead to them. The operator's address stands when the
 * proxy says nothing, and when it names the same host, because few proxies tell the prefix that they cut off.
 */
export const createExternalUrl = ({ trustedProxies, configured }: ExternalUrlOptions): ExternalUrl => {
  const trusted = blockListOf(trustedProxies)
  return (request) => {
    const forwarded = isTrusted(trusted, request.raw.socket.remoteAddress) ? forwardedOf(request) : null
    if (configured !== null) {
      const known = new URL(configured).host.toLowerCase()
      if (forwarded === null || new URL(forwarded).host === known) return configured
    }
    return forwarded ?? `${schemeOf(request)}://${hostOf(request.headers.host) ?? localHost(request)}`
  }
}

const blockListOf = (networks: readonly string[]): BlockList => {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}

const isTrusted = (list: BlockList, remote: string | undefined): boolean => {
  // A socket that takes both families shows IPv4 in this form.
  const address = remote?.replace(/^::ffff:(?=\d+\.)/i, '') ?? ''
  const version = isIP(address)
  return version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4')
}

/** Null unless the proxy said anything. */
const forwardedOf = (request: FastifyRequest): string | null => {
  const { headers } = request
  const said = ['host', 'proto', 'port', 'prefix'].some((name) => headers[`x-forwarded-${name}`] !== undefined)
  if (!said) return null
  const host = hostOf(last(headers['x-forwarded-host'])) ?? hostOf(headers.host)
  if (host === null) return null
  const given = last(headers['x-forwarded-proto'])?.toLowerCase()
  const scheme = given === 'https' || given === 'http' ? given : schemeOf(request)
  const origin = `${scheme}://${withPort(host, last(headers['x-forwarded-port']))}`
  // The parser drops a port that goes without saying.
  return URL.canParse(origin) ? `${new URL(origin).origin}${prefixOf(headers['x-forwarded-prefix'])}` : null
}

const schemeOf = ({ raw: { socket } }: FastifyRequest): string =>
  'encrypted' in socket && socket.encrypted === true ? 'https' : 'http'

const last = (header: string | string[] | undefined): string | undefined =>
  (Array.isArray(header) ? header.join(',') : header)?.split(',').at(-1)?.trim()

const hostOf = (text: string | undefined): string | null =>
  text !== undefined && text.length < 300 && /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i.test(text) ? text : null

const withPort = (host: string, port: string | undefined): string =>
  port !== undefined && /^\d{1,5}$/.test(port) && !/:\d+$/.test(host) ? `${host}:${port}` : host

const prefixOf = (header: string | string[] | undefined): string => {
  const prefix = last(header)?.replace(/\/+$/, '') ?? ''
  return prefix.length < 500 && /^(?:\/[\w.~%!$&'()*+,;=:@-]+)+$/.test(prefix) ? prefix : ''
}

const localHost = ({ raw: { socket } }: FastifyRequest): string =>
  `${socket.localFamily === 'IPv6' ? `[${socket.localAddress}]` : socket.localAddress}:${socket.localPort}`
