/** Opens the port, with an error that says what to do, and tells the address for people. */
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { AppError } from '../kernel/errors.ts'

export interface Address {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
}

/** Listens and answers the URL. Throws AppError `bad_request` when that address cannot be had. */
export const listen = async (http: FastifyInstance, { host, port }: Address): Promise<string> => {
  try {
    await http.listen({ host, port })
  } catch (error) {
    // Node's own errors carry a code.
    const { code = '' } = error as NodeJS.ErrnoException
    const reason = REASONS[code]
    if (reason === undefined) throw error
    throw new AppError('bad_request', reason(host, port), { cause: error })
  }
  // Listening on TCP, so the address has a port.
  return urlOf(host, (http.server.address() as AddressInfo).port)
}

const REASONS: Readonly<Record<string, (host: string, port: number) => string>> = {
  EADDRINUSE: (host, port) => `port ${port} of ${host} is in use; choose another with --port`,
  EACCES: (host, port) => `port ${port} of ${host} is not for this user; choose one above 1023 with --port`,
  EADDRNOTAVAIL: (host) => `${host} is no address of this machine; choose another with --host`,
  ENOTFOUND: (host) => `${host} is no known name; choose an address of this machine with --host`,
}

/** The address for people: a wildcard is not one. */
export const urlOf = (host: string, port: number): string => {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}
