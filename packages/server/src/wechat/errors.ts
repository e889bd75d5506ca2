/** What WeChat says when it refuses: a number in a body whose HTTP status is 200. */

/** A refusal by WeChat. Its message holds no secret: neither code nor token nor address. */
export class WechatError extends Error {
  readonly errcode: number
  constructor(errcode: number, errmsg: string) {
    super(`WeChat: ${errcode} ${errmsg.replace(/[\r\n]+/g, ' ').slice(0, 200)}`)
    this.name = 'WechatError'
    this.errcode = errcode
  }
}

/** The access token is not, or no longer, the one to use. */
export const TOKEN_ERRORS: ReadonlySet<number> = new Set([40001, 40014, 42001])

/** The code was made up, is too old, was used, or is of the other kind. */
export const CODE_ERRORS: ReadonlySet<number> = new Set([40029, 40163, 41008])

/** Too many requests of one person or of the whole app. */
export const QUOTA_ERRORS: ReadonlySet<number> = new Set([45009, 45011])

/** "The system is busy": WeChat asks to try again. */
export const BUSY = -1
