/** Supabase Realtime: the WebSocket endpoint, and broadcasts over HTTP. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { bearerOf } from '../../../http/caller.ts'
import { statusOf } from '../../../http/server.ts'
import { AppError } from '../../../kernel/errors.ts'
import type { UpgradeDecision, UpgradeRoute } from '../../../sockets/server.ts'
import { ChangeDispatch } from './change-dispatch.ts'
import type { ProtocolVersion } from './codec.ts'
import { SharedFrames } from './frames.ts'
import { type Ground, SharedRequests } from './ground.ts'
import { DEFAULT_LIMITS, refusals } from './limits.ts'
import { Rechecks } from './rechecks.ts'
import { registerRest } from './rest.ts'
import type { RealtimeServices } from './services.ts'
import { Session, type SessionOptions } from './session.ts'

export type { RealtimeServices } from './services.ts'

export interface RealtimeDialect {
  /** The REST endpoints; registered below /realtime/v1, behind the hook that sets `request.caller`. */
  plugin(app: FastifyInstance): Promise<void>
  /** The WebSocket endpoint, for the socket server. */
  readonly upgrade: UpgradeRoute
  /** How errors outside of the plugin's own routes are told. */
  readonly errors: { readonly prefix: string; readonly send: typeof sendError }
  stop(): void
}

const VERSIONS: ReadonlySet<string> = new Set<ProtocolVersion>(['1.0.0', '2.0.0'])

const isVersion = (text: string): text is ProtocolVersion => VERSIONS.has(text)

export const realtimeDialect = (services: RealtimeServices): RealtimeDialect => {
  const ground: Ground = {
    services,
    limits: { ...DEFAULT_LIMITS, ...services.limits },
    frames: new SharedFrames(),
    dispatch: new ChangeDispatch(services.live),
    rechecks: new Rechecks(services.clock, services.identity),
    requests: new SharedRequests(),
    sockets: 0,
  }

  const decide = async (request: IncomingMessage, url: URL): Promise<UpgradeDecision> => {
    const version = url.searchParams.get('vsn') ?? '1.0.0'
    if (!isVersion(version)) return refuse(400, `vsn ${version.slice(0, 20)} is not supported`)
    const header = request.headers.apikey
    const apikey =
      url.searchParams.get('apikey') ??
      (typeof header === 'string' ? header : null) ??
      bearerOf(request.headers.authorization)
    if (apikey === null || apikey === undefined || apikey === '') return refuse(401, 'No API key found in request')
    if (ground.sockets >= ground.limits.sockets) return refuse(429, refusals.tooManySockets)
    try {
      const identity = services.identityFor?.(request) ?? services.identity
      const headers = guardedHeaders(request.headers)
      const keyCaller = await identity.authenticateKey(apikey)
      services.guardServiceKey?.({ caller: keyCaller, headers: headers ?? {} })
      return acceptAs({ ground, version, identity, headers, keyCaller, apikey: ground.requests.text(apikey) })
    } catch (error) {
      if (error instanceof AppError && error.code === 'unauthorized') return refuse(401, error.message)
      if (error instanceof AppError && error.code === 'forbidden') return refuse(403, error.message)
      throw error
    }
  }

  return {
    plugin: async (app) => {
      app.setErrorHandler((error, request, reply) =>
        sendError(error instanceof Error ? error : new Error(String(error)), request, reply),
      )
      registerRest(app, services, ground.limits)
    },
    upgrade: { path: '/realtime/v1/websocket', decide },
    errors: { prefix: '/realtime/v1', send: sendError },
    stop: () => {
      ground.dispatch.stop()
      ground.rechecks.stop()
    },
  }
}

/** Apart from `decide`: what a socket keeps must not hold the handshake in its scope. */
const acceptAs = (options: Omit<SessionOptions, 'connection'>): UpgradeDecision => ({
  accept: (connection) => new Session({ ...options, connection }),
})

const GUARDED = ['referer', 'origin', 'user-agent', 'sec-fetch-mode'] as const

/** The headers that a service key is judged by; null when the client sent none of them. */
const guardedHeaders = (headers: IncomingHttpHeaders): IncomingHttpHeaders | null => {
  const kept = GUARDED.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]] as const]))
  return kept.length === 0 ? null : Object.fromEntries(kept)
}

const refuse = (status: number, message: string): UpgradeDecision => ({
  refuse: { status, body: { error: message, message } },
})

/** Clients read `error` first, then `message`. */
const sendError = (error: Error, request: FastifyRequest, reply: FastifyReply): unknown => {
  const status = statusOf(error)
  if (status >= 500) request.log.error({ error }, 'request failed')
  const message =
    status >= 500 && !(error instanceof AppError) ? `Something went wrong here. Id: ${request.id}` : error.message
  return reply.code(status).send({ error: message, message })
}
