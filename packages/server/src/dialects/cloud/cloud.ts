/** CloudBase's surfaces, one over the other: the same documents, functions and files, in the words of each generation of its SDKs. */
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import { authenticated, type IdentityFor, supabaseProofs } from '../../http/caller.ts'
import type { DialectErrors } from '../../http/server.ts'
import { type AdminOptions, adminSurface, sendAdminError } from './admin/admin.ts'
import { type CloudAuthOptions, cloudAuthSurface } from './client/auth.ts'
import { gatewaySurface, sendGatewayError } from './client/gateway.ts'
import { sendWebError, webSurface } from './client/web.ts'
import { sendXmlError, uploadSurface } from './upload.ts'
import type { WatchSurface } from './watch/watch.ts'

export interface CloudOptions extends AdminOptions {
  readonly auth: CloudAuthOptions['auth']
  readonly identityFor: IdentityFor
  /** Told of every caller of a client surface; may refuse one. */
  readonly noteCaller: (request: FastifyRequest) => void
  readonly watch: WatchSurface
  /** Documents that one read of a client may bring. */
  readonly maxDocuments: number
}

/** Mount without a prefix. */
export const cloudDialect =
  (options: CloudOptions): FastifyPluginAsync =>
  async (app: FastifyInstance) => {
    const { identityFor, noteCaller, externalUrl, maxDocuments } = options
    const services = { ...options.services, maxDocuments }
    const identify = (request: FastifyRequest) => identityFor(request.raw)
    await app.register(adminSurface(options))
    await app.register(cloudAuthSurface({ auth: options.auth, identityFor: identify }))
    await app.register(uploadSurface(services), { prefix: '/cloud/upload' })
    await app.register(
      webSurface({ services, externalUrl, noteCaller, identityFor: identify, signWatch: options.watch.sign }),
    )
    await app.register(
      async (gateway) => {
        gateway.addHook('onRequest', authenticated(identityFor, supabaseProofs, noteCaller))
        await gateway.register(gatewaySurface({ services, externalUrl }))
      },
      { prefix: '/v1' },
    )
  }

export const cloudErrors: readonly DialectErrors[] = [
  { prefix: '/admin', send: sendAdminError },
  { prefix: '/web', send: sendWebError },
  { prefix: '/v1', send: sendGatewayError },
  { prefix: '/cloud/upload', send: sendXmlError },
]
