/** What people see of themselves and may change. */
import type { FastifyInstance } from 'fastify'
import { changeAccount } from '../../../identity/account.ts'
import { parseEmail, parsePhone } from '../../../identity/addresses.ts'
import { refuse } from '../../../identity/errors.ts'
import { beginOAuth } from '../../../identity/oauth.ts'
import { isUuid } from '../../../identity/principal.ts'
import { unlinkIdentity } from '../../../identity/unlink.ts'
import { bodyOf, challengeOf, object, queryOf, text } from './body.ts'
import { type AuthServices, deviceOf, redirectOf, requireUser } from './context.ts'
import { renderUser } from './render.ts'

export const userRoutes =
  (services: AuthServices) =>
  async (app: FastifyInstance): Promise<void> => {
    const { context, sessions } = services.auth

    app.get('/user', async (request) => renderUser((await requireUser(services, request)).user))

    app.route({
      method: ['PUT', 'POST'],
      url: '/user',
      handler: async (request) => {
        const principal = await requireUser(services, request)
        const body = bodyOf(request)
        if (object(body, 'app_metadata') !== undefined) {
          throw refuse('not_admin', 'Updating app_metadata requires admin privileges')
        }
        const [email, phone] = [text(body, 'email'), text(body, 'phone')]
        const user = await changeAccount(context, sessions, principal, {
          email: email === undefined ? undefined : parseEmail(email),
          phone: phone === undefined ? undefined : parsePhone(phone),
          password: text(body, 'password'),
          data: object(body, 'data'),
          nonce: text(body, 'nonce'),
          redirectTo: redirectOf(request, body),
          challenge: challengeOf(body),
          device: deviceOf(request),
        })
        return renderUser(user)
      },
    })

    app.get('/user/identities/authorize', async (request, reply) => {
      const { user } = await requireUser(services, request)
      if (!context.settings.enableManualLinking) throw refuse('manual_linking_disabled')
      const query = queryOf(request)
      const url = await beginOAuth(services.auth, {
        provider: query.provider,
        scopes: query.scopes,
        redirectTo: redirectOf(request),
        challenge: challengeOf(query),
        linkingUserId: user.id,
        extra: query,
      })
      return query.skip_http_redirect === 'true' ? { url } : reply.redirect(url, 302)
    })

    app.delete<{ Params: { id: string } }>('/user/identities/:id', async (request) => {
      const { user } = await requireUser(services, request)
      if (!isUuid(request.params.id)) throw refuse('identity_not_found')
      await unlinkIdentity(context, user, request.params.id)
      return {}
    })
  }
