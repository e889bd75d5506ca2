/** WeChat's HTTP API, as far as the server uses it: one client per app. */
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import { isObject, type JsonObject } from '../kernel/json.ts'
import { createAccessToken } from './access-token.ts'
import { TOKEN_ERRORS, WechatError } from './errors.ts'
import { createTransport, type WechatAnswer, type WechatRequest } from './transport.ts'

export interface WechatOptions {
  readonly appid: string
  readonly secret: string
  readonly apiBase: string
  readonly db: Pool
  readonly clock: Clock
}

/** Who a login code belongs to. */
export interface CodeSession {
  readonly openid: string
  readonly unionid: string | null
  /** Decrypts what the mini-program receives about its user. Never leaves the server, never reaches a log. */
  readonly sessionKey: string
}

export interface PhoneNumber {
  /** Without country code. */
  readonly pure: string
  readonly countryCode: string
}

export interface QrCodeOptions {
  readonly scene: string
  readonly page?: string
  readonly check_path?: boolean
  readonly env_version?: string
  readonly width?: number
  readonly auto_color?: boolean
  readonly line_color?: JsonObject
  readonly is_hyaline?: boolean
}

/** Every method rejects with WechatError when WeChat refuses, with AppError `unavailable` when it does not answer. */
export interface WechatClient {
  readonly appid: string
  readonly apiBase: string
  codeToSession(code: string): Promise<CodeSession>
  phoneNumber(code: string): Promise<PhoneNumber>
  /** The picture. */
  qrCode(options: QrCodeOptions): Promise<Uint8Array>
  /** Any other call that needs the app's access token. */
  call(path: string, body: JsonObject): Promise<JsonObject>
  /** The same for answers of any kind, for files, and for APIs that are asked by GET. */
  ask(request: OpenRequest): Promise<WechatAnswer>
}

/** A call whose access token is added. */
export type OpenRequest = Omit<WechatRequest, 'query'> & { readonly query?: Readonly<Record<string, string>> }

export const createWechatClient = (options: WechatOptions): WechatClient => {
  const { appid, secret, apiBase } = options
  const transport = createTransport(options)
  const token = createAccessToken({ ...options, transport })

  /** Asks with the access token; when that is refused, once more with another one. */
  const ask = async (request: OpenRequest): Promise<WechatAnswer> => {
    const withToken = (value: string) => transport.ask({ ...request, query: { ...request.query, access_token: value } })
    const first = await token.get()
    try {
      return await withToken(first)
    } catch (error) {
      if (!(error instanceof WechatError) || !TOKEN_ERRORS.has(error.errcode)) throw error
      return withToken(await token.replace(first))
    }
  }
  const call = async (path: string, body: JsonObject): Promise<JsonObject> => jsonOf(await ask({ path, body }))

  return {
    appid,
    apiBase,
    ask,
    call,
    async codeToSession(code) {
      const query = { appid, secret, js_code: code, grant_type: 'authorization_code' }
      return readSession(jsonOf(await transport.ask({ path: '/sns/jscode2session', query })))
    },
    async phoneNumber(code) {
      return readPhone(await call('/wxa/business/getuserphonenumber', { code }), appid)
    },
    async qrCode(wanted) {
      const answer = await ask({ path: '/wxa/getwxacodeunlimit', body: { ...wanted } })
      if (answer.kind !== 'bytes') throw strange('no picture')
      return answer.bytes
    },
  }
}

const strange = (what: string): AppError =>
  new AppError('unavailable', 'WeChat answered something unexpected', { cause: new Error(`WeChat: ${what}`) })

const jsonOf = (answer: WechatAnswer): JsonObject => {
  if (answer.kind !== 'json') throw strange('not JSON')
  return answer.json
}

const readSession = ({ openid, unionid, session_key: sessionKey }: JsonObject): CodeSession => {
  if (typeof openid !== 'string' || openid === '' || typeof sessionKey !== 'string') throw strange('no openid')
  return { openid, unionid: typeof unionid === 'string' && unionid !== '' ? unionid : null, sessionKey }
}

/** A number that was given to another app is none of ours. */
const readPhone = ({ phone_info: info }: JsonObject, appid: string): PhoneNumber => {
  const watermark = isObject(info) ? info.watermark : null
  if (!isObject(info) || !isObject(watermark) || watermark.appid !== appid) throw strange('a number of another app')
  const { purePhoneNumber: pure, countryCode } = info
  if (typeof pure !== 'string' || !/^\d{4,15}$/.test(pure)) throw strange('no number')
  return { pure, countryCode: /^\d{1,4}$/.test(String(countryCode)) ? String(countryCode) : '86' }
}
