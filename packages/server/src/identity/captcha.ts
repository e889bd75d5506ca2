/** Asks the operator's provider whether a person solved its riddle, before anything is done for them. */
import { toError } from '../kernel/errors.ts'
import { isObject, parseJson } from '../kernel/json.ts'
import type { Log } from '../observe/log.ts'
import { refuse } from './errors.ts'
import type { CaptchaSettings } from './settings.ts'

const ADDRESSES: Readonly<Record<CaptchaSettings['provider'], string>> = {
  hcaptcha: 'https://hcaptcha.com/siteverify',
  turnstile: 'https://challenges.cloudflare.com/turnstile/v0/siteverify',
}
const TIMEOUT_MS = 10_000
/** Longer than any answer of a widget. */
const LONGEST = 4_096

/** Throws `captcha_failed`. Does nothing when nobody is asked. */
export type Captcha = (token: string | undefined, ip: string) => Promise<void>

export const createCaptcha = (settings: CaptchaSettings | null, log: Log): Captcha => {
  if (settings === null) return async () => {}
  const { provider, secret, url } = settings
  const ask = async (token: string, ip: string): Promise<unknown> => {
    const body = new URLSearchParams({ secret, response: token, remoteip: ip })
    const request = { method: 'POST', body, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) } as const
    return parseJson(await (await fetch(url || ADDRESSES[provider], request)).text())
  }
  return async (token, ip) => {
    if (token === undefined || token.length > LONGEST) throw disallowed(['no captcha_token found in request'])
    const answer = await ask(token, ip).catch((error: unknown) => {
      log.error({ error: toError(error), provider }, 'the captcha could not be verified')
      return null
    })
    // Who cannot be asked lets nobody in: a bot would be the first to try.
    if (!isObject(answer)) throw refuse('unexpected_failure', 'captcha verification process failed')
    if (answer.success === true) return
    const codes = Array.isArray(answer['error-codes']) ? answer['error-codes'] : []
    throw disallowed(codes.filter((each): each is string => typeof each === 'string'))
  }
}

const disallowed = (codes: readonly string[]) =>
  refuse('captcha_failed', `captcha protection: request disallowed (${codes.join(', ').slice(0, 200)})`)
