/** `GET /health`, `/live` and `/ready`: whether requests are served, for load balancers and people. They say nothing about what runs here. */
import type { FastifyInstance } from 'fastify'
import { AppError } from '../kernel/errors.ts'

export const HEALTH_PATH = '/health'

/** What decides: `check` rejects while the database is away, `loaded` throws while the schema is not known. */
export interface HealthChecks {
  readonly check: () => Promise<unknown>
  readonly loaded: () => unknown
}

/** Adds the routes. The shorter two answer with a status alone, as PostgREST's do. */
export const registerHealth = (http: FastifyInstance, { check, loaded }: HealthChecks): void => {
  http.get('/live', async (_request, reply) => reply.header('cache-control', 'no-store').code(200).send())
  http.get('/ready', async (_request, reply) => {
    const status = await isReady({ check, loaded }).then((ready) => (ready ? 200 : 503))
    return reply.header('cache-control', 'no-store').code(status).send()
  })
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

const isReady = async ({ check, loaded }: HealthChecks): Promise<boolean> => {
  try {
    loaded()
    await check()
    return true
  } catch {
    return false
  }
}
