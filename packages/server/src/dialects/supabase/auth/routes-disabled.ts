/** Routes of GoTrue for features that this server does not have, with the answers of a GoTrue in which they are switched off. */
import type { FastifyInstance } from 'fastify'
import { AppError } from '../../../kernel/errors.ts'
import { type AuthServices, requireAdmin, requireUser } from './context.ts'

const off = (reason: string, message: string) => async (): Promise<never> => {
  throw new AppError('not_found', message, { reason })
}

export const disabledRoutes =
  (services: AuthServices) =>
  async (app: FastifyInstance): Promise<void> => {
    const asUser = {
      onRequest: async (request: Parameters<typeof requireUser>[1]) => void (await requireUser(services, request)),
    }
    const asAdmin = { onRequest: (request: Parameters<typeof requireAdmin>[1]) => requireAdmin(services, request) }
    const anybody = {}
    const sso = off('saml_provider_disabled', 'SAML 2.0 is disabled')
    const passkeys = off('passkey_disabled', 'Passkeys are disabled')
    const server = off('oauth_server_disabled', 'The OAuth 2.1 server is disabled')

    type Options = typeof asUser | typeof asAdmin | typeof anybody
    const every = (url: string, options: Options, handler: () => Promise<never>) =>
      app.route({ method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], url, ...options, handler })

    app.post('/sso', sso)
    every('/passkeys', asUser, passkeys)
    every('/passkeys/*', anybody, passkeys)
    every('/user/oauth/grants', asUser, server)
    every('/oauth/*', anybody, server)
    every('/admin/oauth/*', asAdmin, server)
    every('/admin/sso/*', asAdmin, sso)
    every(
      '/admin/custom-providers',
      asAdmin,
      off('feature_disabled', 'Custom providers are configured in supabase/config.toml'),
    )
    every(
      '/admin/custom-providers/*',
      asAdmin,
      off('feature_disabled', 'Custom providers are configured in supabase/config.toml'),
    )
    every('/admin/users/:id/passkeys', asAdmin, passkeys)
    every('/admin/users/:id/passkeys/*', asAdmin, passkeys)
  }
