/** Leaving for a provider's page and coming back from it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { beginOAuth, finishOAuth, type OAuthEnd } from '../../../identity/oauth.ts'
import { bodyOf, challengeOf, queryOf } from './body.ts'
import { type AuthServices, deviceOf, redirectOf } from './context.ts'
import { failureOf } from './errors.ts'
import { grantFragment, withParameters } from './redirect.ts'

export const oauthRoutes =
  (services: AuthServices) =>
  async (app: FastifyInstance): Promise<void> => {
    const { limits } = services.auth.context

    app.get('/authorize', async (request, reply) => {
      await limits.byAddress('signInSignUps', deviceOf(request).ip)
      const query = queryOf(request)
      const url = await beginOAuth(services.auth, {
        provider: query.provider,
        scopes: query.scopes,
        redirectTo: redirectOf(request),
        challenge: challengeOf(query),
        linkingUserId: null,
        extra: query,
      })
      if (query.skip_http_redirect === 'true') return { url }
      return reply.redirect(url, 302)
    })

    app.route({
      method: ['GET', 'POST'],
      url: '/callback',
      handler: (request, reply) => callback(services, request, reply),
    })
  }

/** Some providers come back with a form instead of a query. */
const parametersOf = (request: FastifyRequest): URLSearchParams => {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...bodyOf(request), ...queryOf(request) })) {
    if (typeof value === 'string') parameters.set(name, value)
  }
  return parameters
}

const callback = async (services: AuthServices, request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
  const end = await finishOAuth(services.auth, parametersOf(request), deviceOf(request))
  if (end.kind === 'error' && failureOf(end.error).status >= 500)
    request.log.error({ error: end.error }, 'a login failed')
  return reply
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .redirect(addressOf(end), 302)
}

const addressOf = (end: OAuthEnd): string => {
  switch (end.kind) {
    case 'code':
      return withParameters(end.target, { code: end.code }, 'query')
    case 'session':
      return withParameters(end.target, grantFragment(end.grant, undefined), 'fragment')
    case 'error': {
      const { code, message, status } = failureOf(end.error)
      const told = {
        error: status >= 500 ? 'server_error' : status === 403 ? 'access_denied' : 'invalid_request',
        error_code: code,
        error_description: message,
      }
      const once = end.pkce ? withParameters(end.target, told, 'query') : end.target
      return withParameters(once, told, 'fragment')
    }
  }
}
