/** Calls a hook that is a service of the operator's own: signed, in time, and once more when it asks for that. */
import type { Clock } from '../kernel/clock.ts'
import type { Ids } from '../kernel/ids.ts'
import { isObject, type JsonObject, parseJson } from '../kernel/json.ts'
import { webhookHeaders } from '../notify/webhook.ts'
import type { HookEndpoint } from './settings.ts'

/** For all attempts together. */
const DEADLINE_MS = 5_000
const ATTEMPTS = 3
const PAUSE_MS = 200
const LARGEST = 200 * 1024

export interface EndpointWorld {
  readonly clock: Clock
  readonly ids: Ids
}

/** Its answer. Rejects when it does not answer well, or answers too much; a body with an `error` is an answer, whatever the status. */
export const callEndpoint = async (
  { clock, ids }: EndpointWorld,
  hook: HookEndpoint,
  event: JsonObject,
): Promise<JsonObject> => {
  const body = JSON.stringify(event)
  const signal = AbortSignal.timeout(DEADLINE_MS)
  const id = ids.uuid()
  for (let attempt = 1; ; attempt += 1) {
    const timestamp = Math.floor(clock.now() / 1000)
    const headers = webhookHeaders(hook.secrets, { id, timestamp, body })
    const response = await fetch(hook.url, { method: 'POST', headers, body, signal, redirect: 'error' })
    const again = (response.status === 429 || response.status === 503) && response.headers.has('retry-after')
    const answer = await readAnswer(response)
    if (response.ok || isObject(answer.error)) return answer
    if (!again || attempt === ATTEMPTS) throw new Error(`the hook answered ${response.status}`)
    await new Promise<void>((resolve) => clock.after(PAUSE_MS, resolve))
  }
}

const readAnswer = async (response: Response): Promise<JsonObject> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > LARGEST) throw new Error('the hook answered too much')
    chunks.push(chunk)
  }
  const value = parseJson(Buffer.concat(chunks).toString('utf8'))
  return isObject(value) ? value : {}
}
