/**
 * Fetches from addresses that other people's documents name. What a provider's discovery document points at must be on the public internet,
 * or on the very host that the operator configured: anything else would let a document make this server knock on its own network.
 * The name is resolved by the connection itself, so the address that was checked is the address that is used.
 */
import { lookup as resolve } from 'node:dns'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { isPublicAddress } from './network.ts'

export type GuardedFetch = (url: string, init: FetchInit) => Promise<Response>

export interface FetchInit {
  readonly method?: string
  readonly headers?: Headers | Readonly<Record<string, string>>
  readonly body?: unknown
}

const TIMEOUT_MS = 10_000
const LARGEST = 1024 * 1024

/** `trusted` are the hosts (with port) that the operator wrote down. */
export const createGuardedFetch =
  (trusted: readonly string[]): GuardedFetch =>
  (text, init) =>
    new Promise<Response>((done, fail) => {
      const url = new URL(text)
      const known = trusted.includes(url.host)
      if (url.protocol !== 'https:' && !(known && url.protocol === 'http:')) {
        fail(new Error(`${url.host} is not reached over https`))
        return
      }
      if (!known && /^[\d.]+$|^\[/.test(url.hostname) && !isPublicAddress(url.hostname.replace(/^\[|\]$/g, ''))) {
        fail(new Error(`${url.host} is not on the public internet`))
        return
      }
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest
      const request = send(url, {
        method: init.method ?? 'GET',
        headers: Object.fromEntries(new Headers(init.headers as Record<string, string>)),
        timeout: TIMEOUT_MS,
        ...(known ? {} : { lookup: publicOnly }),
      })
      request.on('timeout', () => request.destroy(new Error(`${url.host} did not answer`)))
      request.on('error', fail)
      request.on('response', (incoming) => {
        const chunks: Buffer[] = []
        let size = 0
        incoming.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > LARGEST) request.destroy(new Error(`${url.host} answered too much`))
          else chunks.push(chunk)
        })
        incoming.on('error', fail)
        incoming.on('end', () => done(responseOf(incoming.statusCode ?? 0, incoming.headers, Buffer.concat(chunks))))
      })
      request.end(bodyOf(init.body))
    })

const bodyOf = (body: unknown): string | undefined => (body === undefined || body === null ? undefined : String(body))

const responseOf = (
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Buffer,
): Response => {
  const kept = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  )
  // Redirects are not followed: a status that a library does not expect is an error.
  const empty = status === 204 || status === 205 || status === 304
  return new Response(empty ? null : new Uint8Array(body), { status: status < 200 ? 502 : status, headers: kept })
}

const publicOnly: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) {
      callback(error, '', 0)
      return
    }
    const open = addresses.filter(({ address }) => isPublicAddress(address))
    const [first] = open
    if (first === undefined) callback(new Error(`${hostname} is not on the public internet`), '', 0)
    else if (options.all) callback(null, open)
    else callback(null, first.address, first.family)
  })
}
