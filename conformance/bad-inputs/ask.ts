/** One request over a real socket, and what came back within the deadline. */
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { text } from 'node:stream/consumers'

export interface Question {
  readonly method: string
  /** Path and query, sent as they are. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer | undefined
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Long for a busy machine, far too short for anything that grows faster than its input. */
export const DEADLINE_MS = 10_000

const agent = new Agent({ keepAlive: true, maxSockets: 4 })

export const ask = (url: string, { method, path, headers = {}, body }: Question): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const request = httpRequest({ agent, hostname, port, method, path, headers: { ...length, ...headers } })
    const timer = setTimeout(() => {
      reject(new Error(`no answer within ${DEADLINE_MS} ms`))
      request.destroy()
    }, DEADLINE_MS)
    request.on('response', (response) => {
      text(response)
        .then((read) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: read }))
        .catch(reject)
        .finally(() => clearTimeout(timer))
    })
    request.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    request.end(body)
  })

export const closeSockets = (): void => agent.destroy()
