/** One request to WeChat: a deadline, no redirects, and errors that never show the address with its secrets. */
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import { isObject, type JsonObject, parseJson } from '../kernel/json.ts'
import { BUSY, WechatError } from './errors.ts'

export interface TransportOptions {
  /** `https://api.weixin.qq.com`, or a stand-in. */
  readonly apiBase: string
  readonly clock: Clock
  /** Milliseconds; WeChat answers within one second or so. */
  readonly timeout?: number
}

export interface WechatRequest {
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  /** Sent as JSON by POST; without it and without files the request is a GET. */
  readonly body?: JsonObject
  /** Sent as a form by POST. */
  readonly files?: readonly WechatFile[]
}

export interface WechatFile {
  /** Name of the form's field. */
  readonly field: string
  readonly bytes: Uint8Array
  readonly type: string
  readonly name: string
}

export type WechatAnswer =
  | { readonly kind: 'json'; readonly json: JsonObject }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }

export interface Transport {
  /** Rejects with WechatError when WeChat refuses, with AppError `unavailable` when it does not answer. */
  ask(request: WechatRequest): Promise<WechatAnswer>
}

const DEFAULT_TIMEOUT_MS = 8_000
const RETRY_AFTER_MS = [100, 400]
/** A QR code is some tens of KiB. */
const LARGEST_ANSWER = 4 * 1024 * 1024

export const createTransport = ({ apiBase, clock, timeout = DEFAULT_TIMEOUT_MS }: TransportOptions): Transport => {
  const once = async ({ path, query = {}, ...content }: WechatRequest): Promise<WechatAnswer> => {
    const url = new URL(apiBase.replace(/\/$/, '') + path)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    return readAnswer(
      await send(url, { ...contentOf(content), redirect: 'error', signal: AbortSignal.timeout(timeout) }),
    )
  }
  return {
    async ask(request) {
      for (const pause of RETRY_AFTER_MS) {
        try {
          return await once(request)
        } catch (error) {
          if (!(error instanceof WechatError) || error.errcode !== BUSY) throw error
          await new Promise<void>((resolve) => clock.after(pause, resolve))
        }
      }
      return once(request)
    },
  }
}

const contentOf = ({ body, files }: Pick<WechatRequest, 'body' | 'files'>): RequestInit => {
  if (files !== undefined) return { method: 'POST', body: formOf(files) }
  if (body === undefined) return { method: 'GET' }
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

const formOf = (files: readonly WechatFile[]): FormData => {
  const form = new FormData()
  for (const { field, bytes, type, name } of files)
    form.append(field, new Blob([Uint8Array.from(bytes)], { type }), name)
  return form
}

const away = (why: string): AppError =>
  // The original error may quote the address, and the address holds AppSecret and code.
  new AppError('unavailable', 'WeChat cannot be reached right now', {
    cause: new Error(`WeChat: ${why}`),
    retryAfter: 2,
  })

const send = async (url: URL, request: RequestInit): Promise<{ readonly type: string; readonly bytes: Uint8Array }> => {
  let response: Response
  let bytes: Uint8Array
  try {
    response = await fetch(url, request)
    bytes = new Uint8Array(await response.arrayBuffer())
  } catch (error) {
    throw away(error instanceof Error ? error.name : 'no answer')
  }
  if (!response.ok) throw away(`HTTP ${response.status}`)
  if (bytes.length > LARGEST_ANSWER) throw away('the answer is too large')
  return { type: response.headers.get('content-type') ?? '', bytes }
}

/** Pictures come as they are, everything else as JSON, whatever the content type says. */
const readAnswer = ({ type, bytes }: { readonly type: string; readonly bytes: Uint8Array }): WechatAnswer => {
  const looksLikeJson = bytes[0] === 0x7b
  if (!looksLikeJson && /^(image|application\/octet-stream)/.test(type)) return { kind: 'bytes', bytes }
  const json = parseJson(Buffer.from(bytes).toString('utf8'))
  if (!isObject(json)) throw away('the answer is not JSON')
  const { errcode, errmsg } = json
  if (typeof errcode === 'number' && errcode !== 0) throw new WechatError(errcode, String(errmsg ?? ''))
  return { kind: 'json', json }
}
