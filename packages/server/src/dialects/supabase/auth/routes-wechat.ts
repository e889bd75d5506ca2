/** MemFire's additions: logging in from a mini-program, binding phone number and account, QR codes. */
import type { FastifyInstance } from 'fastify'
import { invalid } from '../../../identity/errors.ts'
import {
  bindAccount,
  bindPhone,
  clientOf,
  parseCode,
  signInWithWechat,
  wechatError,
} from '../../../identity/wechat-login.ts'
import { isObject, type JsonObject } from '../../../kernel/json.ts'
import type { QrCodeOptions } from '../../../wechat/client.ts'
import { bodyOf, flag, queryOf, text } from './body.ts'
import { type AuthServices, deviceOf, requireUser } from './context.ts'
import { renderGrant, renderUser } from './render.ts'

export const wechatRoutes =
  (services: AuthServices) =>
  async (app: FastifyInstance): Promise<void> => {
    const { auth } = services
    const { limits } = auth.context

    app.get('/wechat_mini/login', async (request) => {
      const device = deviceOf(request)
      // Every code that is looked at costs the app a part of its quota at WeChat.
      await limits.byAddress('signInSignUps', device.ip)
      await limits.byApp('appLogins')
      return renderGrant(await signInWithWechat(auth, parseCode(queryOf(request).code), device))
    })

    app.get('/wechat_mini/bind_phone', async (request) => {
      const principal = await requireUser(services, request)
      await limits.byAddress('tokenVerifications', deviceOf(request).ip)
      return renderUser(await bindPhone(auth, principal, parseCode(queryOf(request).code)))
    })

    app.get('/wechat_mini/bind_account', async (request) => {
      const principal = await requireUser(services, request)
      await limits.byAddress('tokenVerifications', deviceOf(request).ip)
      return renderUser(await bindAccount(auth, principal, parseCode(queryOf(request).code)))
    })

    app.post('/wechat_mini/unlimited_qrcode', async (request) => {
      await limits.byAddress('tokenVerifications', deviceOf(request).ip)
      const client = clientOf(auth)
      const picture = await client.qrCode(qrOptions(bodyOf(request))).catch((error: unknown) => {
        throw wechatError(error)
      })
      return { imgBase64: Buffer.from(picture).toString('base64') }
    })
  }

const VERSIONS = ['release', 'trial', 'develop']

/** What WeChat documents, and nothing else, goes on to WeChat. */
const qrOptions = (body: JsonObject): QrCodeOptions => {
  const scene = text(body, 'scene')
  if (scene === undefined || scene.length > 32) throw invalid('scene should have 1 to 32 characters')
  const [page, version] = [text(body, 'page'), text(body, 'env_version')]
  if (page !== undefined && (page.startsWith('/') || page.includes('?'))) {
    throw invalid('page should be a path without a leading slash and without a query')
  }
  if (version !== undefined && !VERSIONS.includes(version))
    throw invalid(`env_version should be one of ${VERSIONS.join(', ')}`)
  const { width, line_color: lineColor } = body
  if (
    width !== undefined &&
    width !== null &&
    !(Number.isInteger(width) && Number(width) >= 280 && Number(width) <= 1280)
  ) {
    throw invalid('width should be a whole number from 280 to 1280')
  }
  const [checkPath, autoColor, hyaline] = [flag(body, 'check_path'), flag(body, 'auto_color'), flag(body, 'is_hyaline')]
  return {
    scene,
    ...(page === undefined ? {} : { page }),
    ...(version === undefined ? {} : { env_version: version }),
    ...(typeof width === 'number' ? { width } : {}),
    ...(isObject(lineColor) ? { line_color: lineColor } : {}),
    ...(checkPath === undefined ? {} : { check_path: checkPath }),
    ...(autoColor === undefined ? {} : { auto_color: autoColor }),
    ...(hyaline === undefined ? {} : { is_hyaline: hyaline }),
  }
}
