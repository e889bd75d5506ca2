/** Writes with an Idempotency-Key: the first answer again for the same request, a refusal for another one. */
import type { FastifyRequest } from 'fastify'
import type { OnceRunner, OnceWork } from '../../../data/once.ts'
import { idempotencyOf } from '../../../http/idempotency.ts'
import { RestError } from './errors.ts'
import type { HttpAnswer } from './respond.ts'

const REFUSALS = {
  other: [422, 'PGRSTX01', 'This Idempotency-Key was used for another request'],
  busy: [409, 'PGRSTX02', 'A request with this Idempotency-Key is still running'],
  unknown: [
    409,
    'PGRSTX03',
    'A request with this Idempotency-Key was done before; its answer was too large to be kept',
  ],
} as const

/** Runs the write, or answers as it was answered before. */
export const answerOnce = async (
  runner: OnceRunner,
  request: FastifyRequest,
  body: Buffer,
  work: OnceWork<HttpAnswer>,
): Promise<HttpAnswer> => {
  const once = idempotencyOf(request, body)
  if (once === null) throw new TypeError('answerOnce: the request has no key')
  const result = await runner.run(once, work)
  if (result.kind === 'done') return result.answer
  if (result.kind === 'replayed') {
    const { status, headers } = result
    return {
      status,
      headers: [...headers, ['Idempotency-Replayed', 'true']],
      body: result.body.length > 0 ? result.body : null,
    }
  }
  const [status, code, message] = REFUSALS[result.kind]
  throw new RestError(status, { code, message })
}
