/** What a sandbox is told at start: its apps, and every quota as a number, because WeChat changes them. */

/** An app registered with the pretended platform. */
export interface AppSettings {
  readonly appid: string
  readonly secret: string
  /** A website app logs in by QR code and has no mini-program API. */
  readonly kind: 'miniprogram' | 'website'
  /** Apps of one open platform account see the same unionid of a person; null for an app that is not bound to any. */
  readonly openPlatform: string | null
  /** Addresses that may ask for access tokens; null for all. */
  readonly ipWhitelist: readonly string[] | null
  /** Published pages; null accepts any well-formed path. */
  readonly pages: readonly string[] | null
  /** Templates of subscribe messages; null accepts any id. */
  readonly templates: readonly string[] | null
  /** Host names a website login may return to; null for all. */
  readonly redirectHosts: readonly string[] | null
  /** A personal account: it may not ask for phone numbers. */
  readonly individual: boolean
  readonly push: PushSettings | null
}

/** Where events are pushed, as configured in the platform's console. */
export interface PushSettings {
  readonly url: string
  readonly token: string
  /** 43 characters; needed by `compatible` and `safe`. */
  readonly encodingAesKey: string
  readonly mode: 'plain' | 'compatible' | 'safe'
  readonly format: 'json' | 'xml'
}

/** An app as a caller writes it: appid and secret are enough. */
export type AppInput = Pick<AppSettings, 'appid' | 'secret'> & Partial<AppSettings>

export const appOf = (input: AppInput): AppSettings => ({
  kind: 'miniprogram',
  openPlatform: null,
  ipWhitelist: null,
  pages: null,
  templates: null,
  redirectHosts: null,
  individual: false,
  push: null,
  ...input,
})

export interface Limits {
  /** Milliseconds that a code lives. */
  readonly codeLife: number
  /** Milliseconds that a session key lives after the login that gave it. */
  readonly sessionKeyLife: number
  /** Milliseconds that an access token lives. */
  readonly tokenLife: number
  /** Milliseconds that a replaced token stays good. */
  readonly tokenOverlap: number
  /** Milliseconds after a visit during which a person's texts can be checked. */
  readonly visitLife: number
  /** Milliseconds before a media check's result is pushed. */
  readonly mediaCheckDelay: number
  /** Milliseconds that the receiver of a push has to answer. */
  readonly pushPatience: number
  readonly loginsPerUserMinute: number
  readonly tokensPerDay: number
  readonly stableTokensPerMinute: number
  readonly stableTokensPerDay: number
  readonly forcedRefreshesPerDay: number
  readonly forcedRefreshGap: number
  readonly textChecksPerMinute: number
  readonly textChecksPerDay: number
  readonly mediaChecksPerMinute: number
  readonly mediaChecksPerDay: number
  readonly codePicturesPerMinute: number
  /** Bytes. */
  readonly mediaSize: number
  readonly imageSize: number
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE

export const defaultLimits: Limits = {
  codeLife: 5 * MINUTE,
  sessionKeyLife: 72 * HOUR,
  tokenLife: 2 * HOUR,
  tokenOverlap: 5 * MINUTE,
  visitLife: 2 * HOUR,
  mediaCheckDelay: 300,
  pushPatience: 5_000,
  loginsPerUserMinute: 100,
  tokensPerDay: 2_000,
  stableTokensPerMinute: 10_000,
  stableTokensPerDay: 500_000,
  forcedRefreshesPerDay: 20,
  forcedRefreshGap: 30_000,
  textChecksPerMinute: 4_000,
  textChecksPerDay: 2_000_000,
  mediaChecksPerMinute: 2_000,
  mediaChecksPerDay: 200_000,
  codePicturesPerMinute: 5_000,
  mediaSize: 10 * 1024 * 1024,
  imageSize: 1024 * 1024,
}
