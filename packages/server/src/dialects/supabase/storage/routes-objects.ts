/** Describing and removing objects. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { objectNotFound } from '../../../files/errors.ts'
import type { Address } from '../../../files/types.ts'
import { objectBody, texts } from './body.ts'
import { actorOf, addressOf, type ObjectRoute, orInBucketNamed, type StorageServices } from './context.ts'
import { renderInfo, renderObject } from './render.ts'

const MAX_NAMES = 1000

interface BucketRoute {
  Params: { bucket: string }
}

export const objectRoutes =
  ({ files }: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    app.delete<BucketRoute>('/object/:bucket', async (request) => {
      const names = texts({ prefixes: [], ...objectBody(request.body) }, 'prefixes', MAX_NAMES)
      const removed = await files.objects.remove(actorOf(request, 'object.delete_many'), request.params.bucket, names)
      return removed.map(renderObject)
    })

    app.delete<ObjectRoute>('/object/:bucket/*', async (request) => {
      const { bucketId, name } = addressOf(request)
      const removed = await files.objects.remove(actorOf(request, 'object.delete'), bucketId, [name])
      if (removed.length === 0) throw objectNotFound()
      return { message: 'Successfully deleted' }
    })

    const open = (request: FastifyRequest<ObjectRoute>) => (address: Address) =>
      files.objects.findOpen(actorOf(request, 'object.info_authenticated'), address)

    app.get<ObjectRoute>('/object/info/:bucket/*', async (request) =>
      renderInfo(await open(request)(addressOf(request))),
    )
    app.get<ObjectRoute>('/object/info/authenticated/:bucket/*', async (request) => {
      const find = (address: Address) => files.objects.find(actorOf(request, 'object.info_authenticated'), address)
      return renderInfo(await orInBucketNamed('authenticated', addressOf(request), find, open(request)))
    })
    app.get<ObjectRoute>('/object/info/public/:bucket/*', async (request) =>
      renderInfo(await orInBucketNamed('public', addressOf(request), files.objects.findPublic, open(request))),
    )
  }
