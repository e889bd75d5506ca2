/** Supabase's storage API as a Fastify plugin. Mounted at /storage/v1, behind a hook that puts the caller on the request. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { refusal } from '../../../files/errors.ts'
import { AppError } from '../../../kernel/errors.ts'
import { parseJson } from '../../../kernel/json.ts'
import type { StorageServices } from './context.ts'
import { sendStorageError } from './errors.ts'
import { bucketChangeRoutes, bucketRoutes } from './routes-buckets.ts'
import { downloadRoutes } from './routes-downloads.ts'
import { listingRoutes } from './routes-listing.ts'
import { moveRoutes } from './routes-moves.ts'
import { objectRoutes } from './routes-objects.ts'
import { renderRoutes } from './routes-render.ts'
import { resumableRoutes } from './routes-resumable.ts'
import { signingRoutes, uploadSigningRoutes } from './routes-signing.ts'
import { uploadRoutes } from './routes-uploads.ts'
import { s3Routes } from './s3/routes.ts'

const JSON_LIMIT = 2 ** 20

export const storageDialect =
  (services: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    app.setErrorHandler<Error>((error, request, reply) => sendStorageError(error, request, reply))
    app.setNotFoundHandler((request, reply) =>
      sendStorageError(
        new AppError('not_found', `Route ${request.method}:${request.url.split('?', 1)[0]} not found`),
        request,
        reply,
      ),
    )
    await app.register(uploadRoutes(services))
    await app.register(resumableRoutes(services))
    await app.register(s3Routes(services), { prefix: '/s3' })
    await app.register(jsonRoutes(services))
  }

/** Everything but uploads: small JSON bodies, whatever the content type says, or none at all. */
const jsonRoutes =
  (services: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: JSON_LIMIT }, (_request, body, done) => {
      if (body === '') {
        done(null, undefined)
        return
      }
      const value = parseJson(String(body))
      if (value === undefined) done(refusal('invalid_body', 'The body is not valid JSON'))
      else done(null, value)
    })
    await app.register(bucketRoutes(services))
    await app.register(bucketChangeRoutes(services))
    await app.register(listingRoutes(services))
    await app.register(objectRoutes(services))
    await app.register(moveRoutes(services))
    await app.register(signingRoutes(services))
    await app.register(uploadSigningRoutes(services))
    await app.register(downloadRoutes(services))
    await app.register(renderRoutes(services))
    await app.register(otherRoutes)
  }

/** What has nothing to do here, said plainly. */
const otherRoutes = async (app: FastifyInstance): Promise<void> => {
  app.get('/health', async () => ({ healthy: true }))
  app.get('/status', async (_request, reply) => reply.send())

  // No cache of ours stands between a client and its object: there is nothing to purge, and that has succeeded.
  const purge = async (request: FastifyRequest) => {
    if (request.caller.role !== 'service_role')
      throw refusal('access_denied', 'Only the service key may purge the cache')
    return { message: 'success' }
  }
  app.delete('/cdn/:bucket', purge)
  app.delete('/cdn/:bucket/*', purge)
}
