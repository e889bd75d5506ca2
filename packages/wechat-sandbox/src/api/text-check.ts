/** msg_sec_check: version 2 judges and says so in `result`; version 1 answers an error code for risky text. */
import { refuse } from '../errcodes.ts'
import { type Handler, ok, postedJson } from '../http/call.ts'
import { type JsonObject, textOf } from '../kernel/json.ts'
import type { AppSettings } from '../settings.ts'
import type { World } from '../world.ts'
import { appByToken } from './apps.ts'
import { traceId } from './trace.ts'

const MOST_CHARACTERS = 2_500
const MOST_BYTES_V1 = 500 * 1024

export const textCheck: Handler = (world, call) => {
  const body = postedJson(call, 43302)
  const app = appByToken(world, call)
  const { quotas, limits } = world
  quotas.minute(`text ${app.appid}`, limits.textChecksPerMinute)
  quotas.day(`text ${app.appid}`, limits.textChecksPerDay)
  const content = textOf(body, 'content')
  if (content === '') refuse(44004)
  if (body.version !== 2) return versionOne(world, content)
  requireVisitor(world, app, body)
  if ([...content].length > MOST_CHARACTERS) refuse(45002)
  const everything = ['content', 'nickname', 'title', 'signature'].map((key) => textOf(body, key)).join('\n')
  return ok({ ...world.moderation.judge(everything), trace_id: traceId(world) })
}

const versionOne = (world: World, content: string) => {
  if (Buffer.byteLength(content) > MOST_BYTES_V1) refuse(45002)
  return world.moderation.judge(content).result.suggest === 'risky' ? refuse(87014) : ok()
}

/** The scene, and a person who opened this app lately. */
export const requireVisitor = (world: World, app: AppSettings, body: JsonObject): void => {
  if (![1, 2, 3, 4].some((scene) => scene === body.scene)) refuse(40129)
  const openid = textOf(body, 'openid')
  const visitor = world.people.byOpenid(app.appid, openid)
  if (visitor === undefined) {
    refuse(openid !== '' && world.people.knownElsewhere(app.appid, openid) ? 43104 : 40003)
    return
  }
  if (visitor.visitedAt === null || world.clock.now() - visitor.visitedAt >= world.limits.visitLife) refuse(61010)
}
