/** Downloads: as the caller, or by the address of a public object, which needs no key. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { refusal } from '../../../files/errors.ts'
import type { Address, StoredObject } from '../../../files/types.ts'
import { actorOf, addressOf, type ObjectRoute, orInBucketNamed, type StorageServices } from './context.ts'

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
    const open: (request: FastifyRequest<DownloadRoute>) => (address: Address) => Promise<StoredObject> =
      (request) => (address) =>
        objects.findOpen(actorOf(request, 'object.get_authenticated'), address)

    route('/object/public/:bucket/*', (request) =>
      orInBucketNamed('public', addressOf(request), objects.findPublic, open(request)),
    )
    route('/object/authenticated/:bucket/*', (request) =>
      orInBucketNamed(
        'authenticated',
        addressOf(request),
        (address) => objects.find(actorOf(request, 'object.get_authenticated'), address),
        open(request),
      ),
    )
    route('/object/:bucket/*', (request) => open(request)(addressOf(request)))
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
      download: downloadName(Array.isArray(download) ? download[0] : download),
    })
    reply.code(answer.status).headers(answer.headers)
    if (answer.status === 416) throw refusal('invalid_range', 'The requested range is not satisfiable')
    return reply.send(answer.stream ?? (headersOnly ? undefined : ''))
  }

/** The official client runs a signed URL through encodeURI whose file name it has encoded already. */
export const downloadName = (name: string | undefined): string | undefined => {
  if (name === undefined || !/%[89a-f][\da-f]/i.test(name)) return name
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
