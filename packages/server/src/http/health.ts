/** `GET /health`: whether requests are served, for load balancers and people. Says nothing about what runs here. */
import type { FastifyInstance } from 'fastify'
import { AppError } from '../kernel/errors.ts'

export const HEALTH_PATH = '/health'

/** Adds the route. `check` rejects while the database is away. */
export const registerHealth = (http: FastifyInstance, check: () => Promise<unknown>): void => {
  http.get(HEALTH_PATH, async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    try {
      await check()
      return { status: 'ok' }
    } catch (cause) {
      throw new AppError('unavailable', 'The database cannot be reached right now.', { cause, retryAfter: 1 })
    }
  })
}
