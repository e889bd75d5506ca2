/** Access tokens: the plain call, and the stable one. */
import { refuse } from '../errcodes.ts'
import { type Call, type Handler, json, postedJson } from '../http/call.ts'
import { textOf } from '../kernel/json.ts'
import type { AppSettings } from '../settings.ts'
import type { World } from '../world.ts'
import { appBySecret, type Credentials, requireCredentials } from './apps.ts'

const grantingApp = (world: World, call: Call, asked: Credentials & { readonly grant: string }): AppSettings => {
  if (asked.grant !== 'client_credential') refuse(40002)
  requireCredentials(asked)
  const app = appBySecret(world, asked)
  if (app.ipWhitelist !== null && !app.ipWhitelist.includes(call.ip))
    refuse(40164, `invalid ip ${call.ip} ipv6 ::ffff:${call.ip}, not in whitelist`)
  return app
}

/** `GET` or `POST /cgi-bin/token`: every call makes a new token. */
export const token: Handler = (world, call) => {
  const param = (name: string): string => call.query.get(name) ?? ''
  const asked = { appid: param('appid'), secret: param('secret'), grant: param('grant_type') }
  const app = grantingApp(world, call, asked)
  world.quotas.day(`token ${app.appid}`, world.limits.tokensPerDay)
  return json(world.tokens.plain(app.appid))
}

/** `POST /cgi-bin/stable_token`: the same token until shortly before its end, unless a new one is forced. */
export const stableToken: Handler = (world, call) => {
  const body = postedJson(call)
  const asked = { appid: textOf(body, 'appid'), secret: textOf(body, 'secret'), grant: textOf(body, 'grant_type') }
  const { appid } = grantingApp(world, call, asked)
  const { limits, quotas, tokens } = world
  quotas.minute(`stable ${appid}`, limits.stableTokensPerMinute)
  quotas.day(`stable ${appid}`, limits.stableTokensPerDay)
  if (body.force_refresh !== true) return json(tokens.stable(appid))
  if (!tokens.mayForce(appid)) refuse(45011)
  quotas.day(`forced ${appid}`, limits.forcedRefreshesPerDay)
  return json(tokens.forced(appid))
}
