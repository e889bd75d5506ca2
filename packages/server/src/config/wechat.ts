/** Where WeChat is: the real API, the sandbox of `--dev`, or nowhere. Parsing only; the sandbox is started in development.ts. */
import { AppError } from '../kernel/errors.ts'

/** A mini-program and the API that knows it. */
export interface WechatApp {
  readonly appid: string
  readonly secret: string
  /** Without a trailing slash. */
  readonly apiBase: string
}

export type WechatConfig =
  | { readonly kind: 'none' }
  /** Started with the server; it makes up a secret. */
  | { readonly kind: 'sandbox'; readonly appid: string }
  | ({ readonly kind: 'api' } & WechatApp)

/** What the operator gave; empty texts for what is missing. */
export interface WechatGiven {
  readonly dev: boolean
  readonly appid: string
  readonly secret: string
  readonly apiBase: string
}

export const WECHAT_API = 'https://api.weixin.qq.com'

/** The mini-program of development; no such appid exists. */
export const DEV_APPID = 'wx7ea0000000000001'

const invalid = (message: string): AppError => new AppError('bad_request', message)

/** Throws AppError `bad_request` with what is missing. An API that is not https is for development alone: whoever answers there decides who anybody is. */
export const wechatOf = ({ dev, appid, secret, apiBase }: WechatGiven): WechatConfig => {
  if (appid !== '' && !/^[\w-]{1,64}$/.test(appid))
    throw invalid('--wechat-appid should be the AppID of a mini-program')
  if (secret === '' && apiBase === '') {
    if (dev) return { kind: 'sandbox', appid: appid === '' ? DEV_APPID : appid }
    if (appid === '') return { kind: 'none' }
  }
  if (appid === '' || secret === '') throw invalid('WeChat login needs both --wechat-appid and --wechat-secret')
  return { kind: 'api', appid, secret, apiBase: apiBase === '' ? WECHAT_API : apiBaseOf(apiBase, dev) }
}

const apiBaseOf = (text: string, dev: boolean): string => {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol))
    throw invalid(`--wechat-api-base should be an address such as ${WECHAT_API}, not "${text}"`)
  if (!dev && new URL(text).protocol !== 'https:')
    throw invalid('--wechat-api-base should begin with https: a WeChat sandbox is for development, with --dev')
  return text.replace(/\/+$/, '')
}
