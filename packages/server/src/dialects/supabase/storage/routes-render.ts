/** Pictures made to measure: public, as the caller, or by a signed URL that says how. */
import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SYSTEM } from '../../../files/door.ts'
import { planServe } from '../../../files/serving.ts'
import { verifyRender } from '../../../files/signing.ts'
import { parseTransform, type Transform } from '../../../files/transforms.ts'
import type { StoredObject } from '../../../files/types.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import { actorOf, addressOf, type ObjectRoute, type StorageServices } from './context.ts'
import { downloadName } from './routes-downloads.ts'

interface RenderRoute extends ObjectRoute {
  Querystring: JsonObject & { download?: string | string[]; token?: string | string[] }
}

interface Found {
  readonly object: StoredObject
  readonly transform: Transform
}

export const renderRoutes =
  (services: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    const { objects } = services.files
    const send = renderer(services)
    const route = (url: string, find: (request: FastifyRequest<RenderRoute>) => Promise<Found>): void => {
      app.route<RenderRoute>({
        method: ['GET', 'HEAD'],
        url,
        handler: async (request, reply) => send(request, reply, await find(request)),
      })
    }
    route('/render/image/public/:bucket/*', async (request) => {
      const transform = parseTransform(request.query)
      return { transform, object: await objects.findPublic(addressOf(request)) }
    })
    route('/render/image/authenticated/:bucket/*', async (request) => {
      const transform = parseTransform(request.query)
      const actor = actorOf(request, 'render.image_authenticated')
      return { transform, object: await objects.find(actor, addressOf(request)) }
    })
    route('/render/image/sign/:bucket/*', async (request) => {
      const address = addressOf(request)
      const transform = await verifyRender(services.signer, request.query.token, address)
      return { transform, object: await objects.find(SYSTEM, address) }
    })
  }

/** A result is as fresh as its object, and another one for each size and format: so its tag is made of all three. */
const renderer =
  ({ files }: StorageServices) =>
  async (request: FastifyRequest<RenderRoute>, reply: FastifyReply, { object, transform }: Found): Promise<unknown> => {
    const { accept = '*/*', range: _range, 'if-range': _ifRange, ...headers } = request.headers
    const avif = /image\/avif/.test(accept) && (await files.buckets.find(SYSTEM, object.bucketId)).avifAutodetection
    const choice = transform.format === 'auto' ? [/image\/webp/.test(accept), avif] : []
    const tag = createHash('md5')
      .update(JSON.stringify([object.version, transform, choice]))
      .digest('hex')
    const { download } = request.query
    const plan = (size: number, type: string) =>
      planServe({ ...object, metadata: { ...object.metadata, eTag: `"${tag}"`, mimetype: type } }, size, {
        headers,
        download: downloadName(Array.isArray(download) ? download[0] : download),
      })
    if (transform.format === 'auto') reply.header('vary', [reply.getHeader('vary') ?? [], 'Accept'].flat().join(', '))
    const early = plan(0, 'image/png')
    const { 'accept-ranges': _none, ...common } = early.headers
    if (!early.body) return reply.code(early.status).headers(common).send('')
    const { bytes, type } = await files.images(object, { transform, accept, avif })
    const { 'accept-ranges': _also, ...told } = plan(bytes.length, type).headers
    reply.headers(told)
    return request.method === 'HEAD' ? reply.send() : reply.send(bytes)
  }
