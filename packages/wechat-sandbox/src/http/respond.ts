/** Runs one call against the API: faults first, then the handler, then the journal. */
import { apiRoutes } from '../api/routes.ts'
import { requestId } from '../api/trace.ts'
import { WechatError, wordsOf } from '../errcodes.ts'
import { isObject, type JsonObject, parseJson } from '../kernel/json.ts'
import type { Fault } from '../state/faults.ts'
import { redact } from '../state/journal.ts'
import type { World } from '../world.ts'
import type { Answer, Call } from './call.ts'

/** What the server does with a call: an answer, silence, or a torn connection. */
export type Outcome =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'silence' }
  | { readonly kind: 'reset' }

export const respond = async (world: World, call: Call): Promise<Outcome> => {
  const fault = world.faults.take(call.path)
  if (fault?.kind === 'slow') await new Promise<void>((resolve) => world.clock.after(fault.delay, resolve))
  const outcome = outcomeOfFault(world, fault) ?? { kind: 'answer', answer: await handle(world, call) }
  record(world, call, outcome)
  return outcome
}

const answered = (answer: Answer): Outcome => ({ kind: 'answer', answer })

const outcomeOfFault = (world: World, fault: Fault | undefined): Outcome | undefined => {
  switch (fault?.kind) {
    case 'errcode':
      return answered(failure(world, fault.errcode, wordsOf(fault.errcode)))
    case 'status':
      return answered({ kind: 'text', text: '', type: 'text/html', status: fault.status })
    case 'garbage':
      return answered({ kind: 'text', text: '<html>', type: 'text/html' })
    case 'timeout':
      return { kind: 'silence' }
    case 'reset':
      return { kind: 'reset' }
    case 'slow':
    case undefined:
      return undefined
  }
}

/** Errors are `errcode` and `errmsg` with a request id, under HTTP status 200. */
const failure = (world: World, errcode: number, words: string): Answer => ({
  kind: 'json',
  body: { errcode, errmsg: `${words}, rid: ${requestId(world)}` },
})

const handle = async (world: World, call: Call): Promise<Answer> => {
  const handler = apiRoutes[call.path]
  if (handler === undefined) return { kind: 'text', text: '', type: 'text/html', status: 404 }
  try {
    return await handler(world, call)
  } catch (error) {
    if (error instanceof WechatError) return failure(world, error.errcode, error.message)
    throw error
  }
}

const record = (world: World, call: Call, outcome: Outcome): void => {
  const answer = outcome.kind === 'answer' ? outcome.answer : null
  const body = parseJson(call.body.toString('utf8', 0, Math.min(call.body.length, 64 * 1024)))
  const query: JsonObject = Object.fromEntries(call.query)
  const hidden = redact(query)
  world.journal.write({
    at: world.clock.now(),
    method: call.method,
    path: call.path,
    query: isObject(hidden) ? hidden : {},
    body: isObject(body) ? redact(body) : null,
    status: statusOf(answer),
    errcode: answer?.kind === 'json' ? Number(answer.body.errcode ?? 0) : null,
  })
}

const statusOf = (answer: Answer | null): number => {
  if (answer === null) return 0
  if (answer.kind === 'redirect') return 302
  return answer.kind === 'bytes' ? 200 : (answer.status ?? 200)
}
