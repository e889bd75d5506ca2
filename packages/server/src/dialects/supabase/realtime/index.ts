/** Supabase Realtime: the WebSocket endpoint, and broadcasts over HTTP. */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { bearerOf } from '../../../http/caller.ts'
import { statusOf } from '../../../http/server.ts'
import { guardedIdentity } from '../../../http/service-key-guard.ts'
import { AppError } from '../../../kernel/errors.ts'
import type { UpgradeDecision, UpgradeRoute } from '../../../sockets/server.ts'
import { ChangeDispatch } from './change-dispatch.ts'
import type { ProtocolVersion } from './codec.ts'
import { SharedFrames } from './frames.ts'
import { DEFAULT_LIMITS, refusals } from './limits.ts'
import { registerRest } from './rest.ts'
import type { RealtimeServices } from './services.ts'
import { Session } from './session.ts'

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
  const limits = { ...DEFAULT_LIMITS, ...services.limits }
  const frames = new SharedFrames()
  const dispatch = new ChangeDispatch(services.live)
  let sockets = 0

  const decide = async (request: IncomingMessage, url: URL): Promise<UpgradeDecision> => {
    const version = url.searchParams.get('vsn') ?? '1.0.0'
    if (!isVersion(version)) return refuse(400, `vsn ${version.slice(0, 20)} is not supported`)
    const header = request.headers.apikey
    const apikey =
      url.searchParams.get('apikey') ??
      (typeof header === 'string' ? header : null) ??
      bearerOf(request.headers.authorization)
    if (apikey === null || apikey === undefined || apikey === '') return refuse(401, 'No API key found in request')
    if (sockets >= limits.sockets) return refuse(429, refusals.tooManySockets)
    try {
      const judge = services.identityFor?.(request) ?? services.identity
      const guard = services.guardServiceKey
      const identity = guard === undefined ? judge : guardedIdentity(judge, guard, request.headers)
      const keyCaller = await identity.authenticateKey(apikey)
      const own = { ...services, identity }
      return {
        accept: (connection) => {
          sockets++
          const onClosed = () => {
            sockets--
          }
          return new Session({
            services: own,
            limits,
            frames,
            dispatch,
            version,
            connection,
            keyCaller,
            apikey,
            onClosed,
          })
        },
      }
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
      registerRest(app, services, limits)
    },
    upgrade: { path: '/realtime/v1/websocket', decide },
    errors: { prefix: '/realtime/v1', send: sendError },
    stop: () => dispatch.stop(),
  }
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
