/** Checks of pictures and sound: the one that answers later by a pushed event, and the old one that answers at once. */
import { createHash } from 'node:crypto'
import { refuse } from '../errcodes.ts'
import { type Handler, ok, postedJson } from '../http/call.ts'
import { findUpload } from '../http/multipart.ts'
import { textOf } from '../kernel/json.ts'
import type { AppSettings } from '../settings.ts'
import { type Judgement, NORMAL } from '../state/moderation.ts'
import type { World } from '../world.ts'
import { appByToken } from './apps.ts'
import { requireVisitor } from './text-check.ts'
import { traceId } from './trace.ts'

/** `POST /wxa/media_check_async`: accepts at once; the judgement is pushed. */
export const mediaCheck: Handler = (world, call) => {
  const body = postedJson(call)
  const app = appByToken(world, call)
  const { quotas, limits } = world
  quotas.minute(`media ${app.appid}`, limits.mediaChecksPerMinute)
  quotas.day(`media ${app.appid}`, limits.mediaChecksPerDay)
  const url = textOf(body, 'media_url')
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) refuse(47001)
  if (body.media_type !== 1 && body.media_type !== 2) refuse(47001)
  if (body.version === 2) requireVisitor(world, app, body)
  const trace = traceId(world)
  world.pusher.later(limits.mediaCheckDelay, async () => {
    await world.pusher.send(app, event(world, app, { trace, verdict: await judge(world, url) }))
  })
  return ok({ trace_id: trace })
}

/** `POST /wxa/img_sec_check`. */
export const imageCheck: Handler = (world, call) => {
  if (call.method !== 'POST') refuse(43002)
  appByToken(world, call)
  const media = findUpload(call.body, call.contentType, 'media') ?? refuse(41005)
  if (media.bytes.length > world.limits.imageSize) refuse(40006)
  const text = `${media.filename}\n${media.bytes.toString('latin1')}`
  return world.moderation.judge(text).result.suggest === 'risky' ? refuse(87014) : ok()
}

type Verdict = (Judgement & { readonly errcode: 0 }) | { readonly errcode: -1008 }

const judge = async (world: World, url: string): Promise<Verdict> => {
  const bytes = await download(url, world.limits.mediaSize)
  if (bytes === null) return { errcode: -1008 }
  return { errcode: 0, ...world.moderation.judge(`${readable(url)}\n${bytes.toString('latin1')}`) }
}

const readable = (url: string): string => {
  try {
    return decodeURI(url)
  } catch {
    return url
  }
}

/** The media's bytes; null when they cannot be had or are too many. */
const download = async (url: string, most: number): Promise<Buffer | null> => {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) })
    if (!response.ok || response.body === null) return null
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of response.body) {
      size += chunk.length
      if (size > most) return null
      chunks.push(chunk)
    }
    return Buffer.concat(chunks)
  } catch {
    return null
  }
}

const event = (world: World, app: AppSettings, { trace, verdict }: { trace: string; verdict: Verdict }) => ({
  ToUserName: `gh_${createHash('sha256').update(app.appid).digest('hex').slice(0, 12)}`,
  FromUserName: 'wxcheck',
  CreateTime: Math.floor(world.clock.now() / 1000),
  MsgType: 'event',
  Event: 'wxa_media_check',
  appid: app.appid,
  trace_id: trace,
  version: 2,
  errcode: verdict.errcode,
  errmsg: verdict.errcode === 0 ? 'ok' : 'download media failed',
  detail: verdict.errcode === 0 ? verdict.detail.map((each) => ({ ...each })) : [],
  result: verdict.errcode === 0 ? { ...verdict.result } : { suggest: 'review', label: NORMAL },
})
