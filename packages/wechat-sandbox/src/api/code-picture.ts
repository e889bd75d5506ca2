/** getwxacodeunlimit: a picture that can really be scanned, and says which page, scene and version it leads to. */
import { encode } from 'uqr'
import { refuse } from '../errcodes.ts'
import { type Handler, postedJson } from '../http/call.ts'
import { isObject, type Json, type JsonObject, textOf } from '../kernel/json.ts'
import { drawPng, type Ink } from '../picture/png.ts'
import type { AppSettings } from '../settings.ts'
import { appByToken } from './apps.ts'
import { isPage } from './pages.ts'

const VERSIONS = ['release', 'trial', 'develop']
const SCENE = /^[\w!#$&'()*+,/:;=?@\-.~]{1,32}$/
const DEFAULT_WIDTH = 430

export const codePicture: Handler = (world, call) => {
  const body = postedJson(call)
  const app = appByToken(world, call)
  // This call alone answers its minute limit with the code of a day's.
  world.quotas.minute(`picture ${app.appid}`, world.limits.codePicturesPerMinute, 45009)
  const text = contentOf(app, body)
  const { data: modules } = encode(text, { ecc: 'M', border: 0 })
  const bytes = drawPng({
    modules,
    width: widthOf(body.width),
    margin: 4,
    ink: inkOf(body),
    transparent: body.is_hyaline === true,
  })
  return { kind: 'bytes', bytes, type: 'image/png' }
}

/** `wxacode:<appid>?page=…&scene=…&env_version=…`. */
const contentOf = (app: AppSettings, body: JsonObject): string => {
  const scene = textOf(body, 'scene')
  if (!SCENE.test(scene)) refuse(40169)
  const version = textOf(body, 'env_version') || 'release'
  if (!VERSIONS.includes(version)) refuse(40097)
  const page = textOf(body, 'page')
  const published = isPage(body.check_path === false ? { ...app, pages: null } : app, page)
  if (page !== '' && !published) refuse(41030)
  return `wxacode:${app.appid}?${new URLSearchParams({ page, scene, env_version: version })}`
}

const widthOf = (given: Json | undefined): number =>
  typeof given === 'number' && Number.isFinite(given) ? Math.min(1280, Math.max(280, Math.round(given))) : DEFAULT_WIDTH

const BLACK: Ink = { r: 0, g: 0, b: 0 }

const inkOf = (body: JsonObject): Ink => {
  const colour = body.line_color
  if (body.auto_color === true || !isObject(colour)) return BLACK
  const part = (key: string): number => Math.min(255, Math.max(0, Math.round(Number(colour[key]) || 0)))
  return { r: part('r'), g: part('g'), b: part('b') }
}
