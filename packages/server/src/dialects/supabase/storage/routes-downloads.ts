/** Downloads: as the caller, or by the address of a public object, which needs no key. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { refusal } from '../../../files/errors.ts'
import type { StoredObject } from '../../../files/types.ts'
import { actorOf, addressOf, type ObjectRoute, type StorageServices } from './context.ts'

export interface DownloadRoute extends ObjectRoute {
  Querystring: { download?: string | string[] }
}

type Find = (request: FastifyRequest<DownloadRoute>) => Promise<StoredObject>

export const downloadRoutes =
  (services: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    const { objects } = services.files
    const serve = server(services)
    const route = (url: string, find: Find): void => {
      app.route<DownloadRoute>({
        method: ['GET', 'HEAD'],
        url,
        handler: (request, reply) => serve(request, reply, () => find(request)),
      })
    }
    const asCaller: Find = (request) => objects.find(actorOf(request, 'object.get_authenticated'), addressOf(request))

    route('/object/public/:bucket/*', (request) => objects.findPublic(addressOf(request)))
    route('/object/authenticated/:bucket/*', asCaller)
    route('/object/:bucket/*', (request) =>
      objects.findOpen(actorOf(request, 'object.get_authenticated'), addressOf(request)),
    )
  }

/** Answers a request with the object that `find` finds. */
export const server =
  ({ files }: StorageServices) =>
  async (
    request: FastifyRequest<DownloadRoute>,
    reply: FastifyReply,
    find: () => Promise<StoredObject>,
  ): Promise<unknown> => {
    const headersOnly = request.method === 'HEAD'
    const { download } = request.query
    const answer = await files.download(find, {
      headers: request.headers,
      headersOnly,
      download: Array.isArray(download) ? download[0] : download,
    })
    reply.code(answer.status).headers(answer.headers)
    if (answer.status === 416 && !headersOnly) throw refusal('invalid_range', 'The requested range is not satisfiable')
    return reply.send(answer.stream ?? (headersOnly ? undefined : ''))
  }
