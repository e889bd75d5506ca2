/** Uploads: bodies of any type and size, never parsed and never held in memory. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseObjectName } from '../../../files/names.ts'
import { verifyUpload } from '../../../files/signing.ts'
import type { Actor, Address, WriteMode } from '../../../files/types.ts'
import { AppError } from '../../../kernel/errors.ts'
import { actorOf, addressOf, type ObjectRoute, type StorageServices } from './context.ts'
import { keepPace, letGo } from './pace.ts'
import { renderUploaded } from './render.ts'
import { brokenOff, connectionLost, readUpload } from './upload-body.ts'

export const uploadRoutes =
  (services: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    const receive = receiver(services)

    app.post<ObjectRoute>('/object/:bucket/*', async (request, reply) => {
      const mode = request.headers['x-upsert'] === 'true' ? 'upsert' : 'create'
      return receive(request, reply, { actor: actorOf(request, 'object.upload'), address: addressOf(request), mode })
    })

    app.put<ObjectRoute>('/object/:bucket/*', async (request, reply) =>
      receive(request, reply, {
        actor: actorOf(request, 'object.upload_update'),
        address: addressOf(request),
        mode: 'replace',
      }),
    )

    app.put<SignedUploadRoute>('/object/upload/sign/:bucket/*', async (request, reply) => {
      const address = addressOf(request)
      try {
        const { mode, ownerId } = await verifyUpload(services.signer, request.query.token, address)
        return receive(request, reply, { actor: { kind: 'system', ownerId }, address, mode })
      } catch (error) {
        letGo(request.raw, services.clock)
        throw error
      }
    })
  }

interface SignedUploadRoute extends ObjectRoute {
  Querystring: { token?: string | string[] }
}

export interface Target {
  readonly actor: Actor
  readonly address: Address
  readonly mode: WriteMode
}

/** Takes in one file. A refused upload is answered at once, and what the client still sends is thrown away for a while. */
export const receiver =
  ({ files, clock, pace }: StorageServices) =>
  async (request: FastifyRequest, reply: FastifyReply, { actor, address, mode }: Target): Promise<unknown> => {
    const finished = keepPace(request.raw, clock, pace)
    try {
      const target = { ...address, name: parseObjectName(address.name) }
      const upload = await readUpload(request.raw, target.name)
      const uploaded = await files.uploads.receive(actor, { ...upload, ...target, mode })
      return reply.send(renderUploaded(uploaded))
    } catch (error) {
      letGo(request.raw, clock)
      throw brokenOff(request.raw) && !(error instanceof AppError) ? connectionLost(error) : error
    } finally {
      finished()
    }
  }
