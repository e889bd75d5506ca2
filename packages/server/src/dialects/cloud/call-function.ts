/** Calls a cloud function the way that all surfaces of CloudBase do: an event of JSON, a result of JSON, failures in their words. */
import type { Answer, Functions } from '../../functions/functions.ts'
import type { Caller } from '../../identity/caller.ts'
import { AppError } from '../../kernel/errors.ts'
import { type CloudCode, CloudError } from './errors.ts'

export interface FunctionCall {
  readonly name: unknown
  /** JSON text; empty for none. */
  readonly event: string
  readonly caller: Caller | null
  readonly trigger: 'client' | 'function'
}

/** JSON text of the result. Throws CloudError. */
export const callFunction = async (functions: Functions, call: FunctionCall): Promise<string> => {
  const { name } = call
  if (typeof name !== 'string' || name === '')
    throw new CloudError('INVALID_PARAM', 'the name of the function is missing')
  const outcome = await functions.invoke({ ...call, name }).catch((error: unknown) => {
    if (error instanceof AppError && error.reason === 'function_unknown') {
      throw new CloudError('FUNCTION_NOT_FOUND', `FunctionName parameter could not be found: ${name}`)
    }
    throw error
  })
  return resultOf(outcome.answer)
}

const CODES: Readonly<Record<string, CloudCode>> = {
  timeout: 'FUNCTIONS_TIME_LIMIT_EXCEEDED',
  busy: 'EXCEED_CONCURRENT_REQUEST_LIMIT',
}

const resultOf = (answer: Answer): string => {
  if (answer.kind === 'result') return answer.json
  // A function written for HTTP, called without it.
  if (answer.kind === 'response') return answer.body.toString('utf8')
  const code = CODES[answer.reason] ?? 'FUNCTIONS_EXECUTE_FAIL'
  // What the function threw is for its caller here, as with WeChat; its stack stays in the log.
  throw new CloudError(code, answer.reason === 'thrown' ? `${answer.name}: ${answer.message}` : answer.message)
}
