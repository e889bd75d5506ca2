/** How long a client may take, and how long a stopping server waits. A slow client costs a socket, never a place in line. */
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

export interface TimeLimits {
  /** Milliseconds for the headers of a request. */
  readonly headers: number
  /** Milliseconds between two pieces of a body. */
  readonly bodyPause: number
  /** Milliseconds for a whole request, large uploads over a phone included. The answer is not counted. */
  readonly request: number
  /** Milliseconds that a stopping server gives to requests under way. */
  readonly drain: number
}

export const DEFAULT_TIME_LIMITS: TimeLimits = { headers: 20_000, bodyPause: 30_000, request: 3_600_000, drain: 8_000 }

/** Bytes of a request line and its headers together: room for a filter with a long list of ids. */
export const MAX_HEADER_BYTES = 65_536

const tooSlow = (): Error =>
  Object.assign(new Error('The body of the request did not arrive in time.'), { statusCode: 408 })

/** Ends a request whose body stopped arriving. Naive: a time limit for the whole body, which is too long for small ones and too short for large ones. */
export const limitBodyPauses = (
  http: FastifyInstance,
  ms: number,
  refuse: (error: Error, request: FastifyRequest, reply: FastifyReply) => unknown,
): void => {
  http.addHook('onRequest', (request, reply, done) => {
    const { raw } = request
    if (raw.headers['content-length'] === undefined && raw.headers['transfer-encoding'] === undefined) return done()
    raw.setTimeout(ms, () => {
      if (raw.complete || reply.sent) return
      reply.header('connection', 'close')
      refuse(tooSlow(), request, reply)
      // Whoever still reads the body is told too.
      reply.raw.once('finish', () => raw.destroy())
    })
    // The socket serves other requests afterwards, and a slow answer is not the client's fault.
    const calm = () => raw.setTimeout(0)
    raw.once('end', calm)
    raw.once('close', calm)
    done()
  })
}

/** Milliseconds that a client may go on sending a body that was refused. */
const PATIENCE = 10_000

/**
 * Lets a client read why its body is refused while it still sends it. Naive: close at once, as Fastify asks for; then what is unread makes the
 * kernel reset the connection, and the answer is lost on the way. Here the rest is thrown away, for a bounded time.
 */
export const readOnAfterRefusal = (http: FastifyInstance): void => {
  http.addHook('onSend', ({ raw }, reply, payload, done) => {
    if (!raw.complete && reply.getHeader('connection') === 'close') {
      reply.removeHeader('connection')
      raw.resume()
      const timer = setTimeout(() => {
        if (!raw.complete) raw.destroy()
      }, PATIENCE)
      raw.once('close', () => clearTimeout(timer))
    }
    done(null, payload)
  })
}

/**
 * Lets requests under way finish when the server stops, and cuts off what is not done in time. Node itself closes connections that wait for a
 * next request, but not those that never sent a first one (browsers open them in advance), nor those that became WebSockets.
 */
export const limitDrain = (http: FastifyInstance, ms: number): void => {
  const sockets = new Set<Socket>()
  http.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  let timer: NodeJS.Timeout | undefined
  http.addHook('onSend', (_request, reply, payload, done) => {
    // A connection that is kept alive for a next request would keep the server alive too.
    if (timer !== undefined) reply.header('connection', 'close')
    done(null, payload)
  })
  http.addHook('preClose', async () => {
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
    timer = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, ms)
  })
  http.server.once('close', () => clearTimeout(timer))
}
