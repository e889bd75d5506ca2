/** The HTTP server of the sandbox: bounded bodies, the exposure rule before everything, and the two APIs. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Control } from '../control/control.ts'
import { answerControl, isControlPath } from '../control/routes.ts'
import type { World } from '../world.ts'
import type { Answer, Call } from './call.ts'
import { exposureRefusal, isForeignPage } from './exposure.ts'
import { respond } from './respond.ts'

export interface ServerParts {
  readonly world: World
  readonly control: Control
  readonly lan: boolean
  /** Our own failures; a refusal is none. */
  readonly onProblem: (error: unknown) => void
}

/** Enough for a picture of the largest checked size with its form around it. */
const MOST_BODY = 4 * 1024 * 1024

export const createHttpServer = (parts: ServerParts): Server =>
  createServer((request, response) => {
    serve(parts, request, response).catch((error: unknown) => {
      parts.onProblem(error)
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  })

const serve = async (parts: ServerParts, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const refusal = exposureRefusal(request, { lan: parts.lan })
  if (refusal !== null) return sendText(response, 403, refusal)
  const body = await readBody(request)
  if (body === null) return sendText(response, 413, 'too large')
  const call = callOf(request, body)
  if (call === null) return sendText(response, 400, 'bad address')
  if (isControlPath(call.path)) {
    if (isForeignPage(request))
      return sendText(response, 403, 'The WeChat sandbox is not controlled by web pages of others.')
    return send(response, await answerControl(parts.control, call))
  }
  const outcome = await respond(parts.world, call)
  if (outcome.kind === 'answer') send(response, outcome.answer)
  if (outcome.kind === 'reset') request.socket.resetAndDestroy()
  // Silence keeps the connection open until the caller gives up or the sandbox stops.
}

/** The whole body, or null when it is too large. */
const readBody = async (request: IncomingMessage): Promise<Buffer | null> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    // Without an encoding set, a request's chunks are buffers.
    const bytes = chunk as Buffer
    size += bytes.length
    if (size > MOST_BODY) return null
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

const callOf = (request: IncomingMessage, body: Buffer): Call | null => {
  const origin = `http://${request.headers.host ?? '127.0.0.1'}`
  const address = `${origin}${request.url ?? '/'}`
  if (!URL.canParse(address)) return null
  const url = new URL(address)
  return {
    method: request.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    body,
    contentType: request.headers['content-type'] ?? '',
    ip: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
    origin,
    language: /^\s*en\b/i.test(request.headers['accept-language'] ?? '') ? 'en' : 'zh',
  }
}

const sendText = (response: ServerResponse, status: number, text: string): void => {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' }).end(text)
}

const send = (response: ServerResponse, answer: Answer): void => {
  const headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
  switch (answer.kind) {
    case 'redirect':
      response.writeHead(302, { ...headers, location: answer.to }).end()
      return
    case 'bytes':
      response.writeHead(200, { ...headers, 'content-type': answer.type }).end(answer.bytes)
      return
    case 'text':
      response.writeHead(answer.status ?? 200, { ...headers, 'content-type': answer.type }).end(answer.text)
      return
    case 'json':
      response
        .writeHead(answer.status ?? 200, {
          ...headers,
          'content-type': answer.type ?? 'application/json; encoding=utf-8',
        })
        .end(JSON.stringify(answer.body))
  }
}
