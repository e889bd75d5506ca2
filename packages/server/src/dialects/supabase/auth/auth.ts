/** GoTrue's API, and MemFire's additions for WeChat, as a Fastify plugin. Mounted at /auth/v1. */
import type { FastifyInstance } from 'fastify'
import { supabaseProofs } from '../../../http/caller.ts'
import { AppError } from '../../../kernel/errors.ts'
import { BODY_LIMIT, parseBody } from './body.ts'
import { requirePerson } from './captcha.ts'
import type { AuthServices } from './context.ts'
import { sendAuthError } from './errors.ts'
import { adminRoutes } from './routes-admin.ts'
import { disabledRoutes } from './routes-disabled.ts'
import { factorRoutes } from './routes-factors.ts'
import { infoRoutes } from './routes-info.ts'
import { loginRoutes } from './routes-login.ts'
import { messageRoutes } from './routes-messages.ts'
import { oauthRoutes } from './routes-oauth.ts'
import { userRoutes } from './routes-user.ts'
import { wechatRoutes } from './routes-wechat.ts'

export type { AuthServices } from './context.ts'
export { sendAuthError } from './errors.ts'

export const authDialect =
  (services: AuthServices) =>
  async (app: FastifyInstance): Promise<void> => {
    app.setErrorHandler<Error>((error, request, reply) => sendAuthError(error, request, reply))
    app.setNotFoundHandler((request, reply) =>
      sendAuthError(new AppError('not_found', 'There is nothing at this address.'), request, reply),
    )
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: BODY_LIMIT }, (_request, body, done) => {
      try {
        done(null, parseBody(String(body)))
      } catch (error) {
        done(error as Error)
      }
    })
    // Only a provider's redirect comes as a form.
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: BODY_LIMIT },
      (request, body, done) => {
        const isCallback = request.url.split('?', 1)[0]?.endsWith('/callback') ?? false
        try {
          done(null, isCallback ? Object.fromEntries(new URLSearchParams(String(body))) : parseBody(String(body)))
        } catch (error) {
          done(error as Error)
        }
      },
    )
    // A key is no login, but a wrong one is a mistake that its owner should hear of. Links in mails bring none.
    app.addHook('onRequest', async (request) => {
      const { apikey } = supabaseProofs(request)
      if (apikey === undefined || apikey === '') return
      request.caller = await services.identityFor(request.raw).authenticateKey(apikey)
      services.guardServiceKey?.(request)
    })
    app.addHook('preHandler', (request) => requirePerson(services, request))
    // What is answered here is about one person, or changes with every call.
    app.addHook('onSend', async (_request, reply) => {
      if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
      // No answer is a page, and none is to be shown inside of somebody else's.
      reply.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
    })
    for (const routes of ROUTES) await app.register(routes(services))
  }

const ROUTES = [
  infoRoutes,
  loginRoutes,
  messageRoutes,
  userRoutes,
  oauthRoutes,
  factorRoutes,
  wechatRoutes,
  adminRoutes,
  disabledRoutes,
]
