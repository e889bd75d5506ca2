/** The error codes of WeChat's API with their words, and the error that a call throws to answer one. */

const WORDS = {
  '-1': 'system error',
  40001:
    'invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r',
  40002: 'invalid grant_type',
  40003: 'invalid openid',
  40006: 'invalid media size',
  40013: 'invalid appid',
  40014: 'invalid access_token',
  40029: 'invalid code',
  40030: 'invalid refresh_token',
  40037: 'invalid template_id',
  40097: 'invalid args',
  40125: 'invalid appsecret',
  40129: 'invalid scene',
  40163: 'code been used',
  40164: 'invalid ip, not in whitelist',
  40169: 'invalid length for scene, or the data is not json string',
  40226: 'code blocked',
  41001: 'access_token missing',
  41002: 'appid missing',
  41004: 'appsecret missing',
  41005: 'media data missing',
  41008: 'missing code',
  41009: 'missing openid',
  41030: 'invalid page',
  42001: 'access_token expired',
  42002: 'refresh_token expired',
  43002: 'require POST method',
  43101: 'user refuse to accept the msg',
  43104: 'appid and openid not match',
  43107: 'the ability to receive subscribe messages is banned',
  43302: 'require POST method',
  44002: 'empty post data',
  44004: 'empty content',
  45002: 'content size out of limit',
  45009: 'reach max api daily quota limit',
  45011: 'api minute-quota reach limit, mustslower, retry next minute',
  47001: 'data format error',
  47003: 'argument invalid!',
  48001: 'api unauthorized',
  61010: 'code is expired',
  87009: 'invalid signature',
  87014: 'risky content',
} as const

/** An error code that the sandbox has words for. */
export type Errcode = keyof typeof WORDS extends infer Key ? (Key extends '-1' ? -1 : Key) : never

export const errcodes: readonly number[] = Object.keys(WORDS).map(Number)

/** The words of a code, also of one that a fault invents. */
export const wordsOf = (errcode: number): string => {
  const known: Readonly<Record<string, string>> = WORDS
  return known[String(errcode)] ?? 'unknown error'
}

/** Ends a call with `{errcode, errmsg}`, which WeChat sends with HTTP status 200. */
export class WechatError extends Error {
  readonly errcode: number

  constructor(errcode: number, words: string = wordsOf(errcode)) {
    super(words)
    this.name = 'WechatError'
    this.errcode = errcode
  }
}

/** Refuses a call. */
export const refuse = (errcode: Errcode, words?: string): never => {
  throw new WechatError(errcode, words)
}
