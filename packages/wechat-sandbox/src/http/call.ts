/** One request and its answer as data, between the HTTP server and the calls of the API. */
import { refuse } from '../errcodes.ts'
import { isObject, type JsonObject, parseJson } from '../kernel/json.ts'
import type { World } from '../world.ts'

export interface Call {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly body: Buffer
  readonly contentType: string
  /** The peer's address. */
  readonly ip: string
  /** Where the caller reached this sandbox, for links: `http://127.0.0.1:4000`. */
  readonly origin: string
  readonly language: 'zh' | 'en'
}

export type Answer =
  | { readonly kind: 'json'; readonly body: JsonObject; readonly status?: number; readonly type?: string }
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly type: string }
  | { readonly kind: 'text'; readonly text: string; readonly type: string; readonly status?: number }
  | { readonly kind: 'redirect'; readonly to: string }

export type Handler = (world: World, call: Call) => Answer | Promise<Answer>

export const json = (body: object): Answer => ({ kind: 'json', body: { ...body } })

/** Success with `errcode` 0, for the calls that say so. */
export const ok = (body: object = {}): Answer => json({ errcode: 0, errmsg: 'ok', ...body })

/** The JSON body of a POST; `notPost` is the code that this call answers other methods with. */
export const postedJson = (call: Call, notPost: 43002 | 43302 = 43002): JsonObject => {
  if (call.method !== 'POST') refuse(notPost)
  if (call.body.length === 0) refuse(44002)
  const body = parseJson(call.body.toString('utf8'))
  return isObject(body) ? body : refuse(47001)
}
