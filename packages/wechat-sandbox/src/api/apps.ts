/** Which app is calling: by appid and secret, or by an access token. */
import { refuse } from '../errcodes.ts'
import type { Call } from '../http/call.ts'
import type { AppSettings } from '../settings.ts'
import type { World } from '../world.ts'

export interface Credentials {
  readonly appid: string
  readonly secret: string
}

/** What is missing is said first, then what is wrong. */
export const requireCredentials = ({ appid, secret }: Credentials): void => {
  if (appid === '') refuse(41002)
  if (secret === '') refuse(41004)
}

export const appBySecret = (world: World, { appid, secret }: Credentials): AppSettings => {
  requireCredentials({ appid, secret })
  const app = world.apps.get(appid) ?? refuse(40013)
  return app.secret === secret ? app : refuse(40125)
}

/** The app of a call's access token. Mini-program calls are not for website apps. */
export const appByToken = (world: World, call: Call): AppSettings => {
  const check = world.tokens.check(call.query.get('access_token') ?? '')
  if (!check.ok) return refuse(check.errcode)
  const app = world.apps.get(check.appid) ?? refuse(40013)
  return app.kind === 'miniprogram' ? app : refuse(48001)
}
