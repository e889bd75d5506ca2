/** What anybody may know: that the service runs, how people can log in here, and the public keys. */
import type { FastifyInstance } from 'fastify'
import { autoconfirms } from '../../../identity/sign-up.ts'
import type { AuthServices } from './context.ts'

/** The names that clients look for; further ones are added when they are configured. */
const KNOWN_PROVIDERS = [
  'apple',
  'azure',
  'bitbucket',
  'discord',
  'facebook',
  'figma',
  'fly',
  'github',
  'gitlab',
  'google',
  'kakao',
  'keycloak',
  'linkedin',
  'linkedin_oidc',
  'notion',
  'slack',
  'slack_oidc',
  'spotify',
  'twitch',
  'twitter',
  'wechat_qr',
  'workos',
  'zoom',
]

export const infoRoutes =
  ({ auth, version }: AuthServices) =>
  async (app: FastifyInstance): Promise<void> => {
    const { context } = auth
    const { settings } = context

    app.get('/health', async () => ({
      version: `teahouse ${version}`,
      name: 'GoTrue',
      description: 'Accounts and logins, in the words of GoTrue',
    }))

    app.get('/settings', async () => ({
      external: {
        ...Object.fromEntries(KNOWN_PROVIDERS.map((name) => [name, false])),
        ...Object.fromEntries(Object.entries(settings.external).map(([name, { enabled }]) => [name, enabled])),
        anonymous_users: settings.enableAnonymousSignIns,
        email: settings.email.enableSignup,
        phone: settings.sms.enableSignup,
        wechat_mini: auth.wechat !== null,
      },
      disable_signup: !settings.enableSignup,
      mailer_autoconfirm: autoconfirms(context, 'email'),
      phone_autoconfirm: autoconfirms(context, 'phone'),
      sms_provider: '',
      saml_enabled: false,
      mfa_enabled: settings.mfa.totpVerify,
    }))

    app.get('/.well-known/jwks.json', async (_request, reply) => {
      reply.header('cache-control', 'public, max-age=600')
      return context.ring.publicJwks
    })

    app.get('/.well-known/openid-configuration', async () => {
      const issuer = `${context.externalUrl()}/auth/v1`
      return {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/.well-known/jwks.json`,
        userinfo_endpoint: `${issuer}/user`,
        subject_types_supported: ['public'],
        response_types_supported: ['code'],
        id_token_signing_alg_values_supported: ['ES256', 'RS256', 'EdDSA', 'HS256'],
        code_challenge_methods_supported: ['S256', 'plain'],
      }
    })
  }
