/**
 * Resumable uploads: tus 1.0.0, as the caller or with the token of a signed upload.
 *
 * The protocol is spoken here and not by @tus/server: its stores append to one growing file and its locks are held while the client sends,
 * where our blobs are written once and whole, and an upload that another node takes over is fenced off instead of locked.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { refusal } from '../../../files/errors.ts'
import type { PendingUpload } from '../../../files/pending.sql.ts'
import type { Append, Authorise } from '../../../files/resumable.ts'
import { verifyUpload } from '../../../files/signing.ts'
import type { Actor, Address, WriteMode } from '../../../files/types.ts'
import { actorOf, type StorageServices } from './context.ts'
import { wireOf } from './errors.ts'
import { keepPace, letGo } from './pace.ts'
import {
  bytesHeader,
  CHUNK_TYPE,
  descriptionHeaders,
  draftOf,
  piecesOf,
  stateHeaders,
  TUS_EXTENSIONS,
  TUS_VERSION,
} from './tus-headers.ts'
import { brokenOff, connectionLost, contentLengthOf } from './upload-body.ts'

interface UploadRoute {
  Params: { id: string }
}

/** Who uploads: found out once for a creation, and for every request after it. */
interface Door {
  readonly signed: boolean
  grant(request: FastifyRequest, address: Address): Promise<{ readonly actor: Actor; readonly mode: WriteMode }>
}

export const resumableRoutes =
  (services: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    app.addHook('onRequest', async (request, reply) => {
      reply.header('tus-resumable', TUS_VERSION)
      const version = request.headers['tus-resumable']
      if (request.method === 'OPTIONS' || version === TUS_VERSION) return
      reply.header('tus-version', TUS_VERSION)
      return reply.code(412).type('text/plain').send('Tus-Resumable must be 1.0.0')
    })
    app.setErrorHandler<Error>((error, request, reply) => {
      letGo(request.raw, services.clock)
      return sendError(error, request, reply)
    })
    const open = routesOf(services, app.prefix)
    await app.register(open(ownDoor), { prefix: '/upload/resumable' })
    await app.register(open(signedDoor(services)), { prefix: '/upload/resumable/sign' })
  }

/** The caller, for their own uploads. */
const ownDoor: Door = {
  signed: false,
  grant: async (request) => ({
    actor: actorOf(request, request.method === 'POST' ? 'tus.upload.create' : 'tus.upload.part'),
    mode: request.headers['x-upsert'] === 'true' ? 'upsert' : 'create',
  }),
}

/** Whoever holds the token. */
const signedDoor = ({ signer }: StorageServices): Door => ({
  signed: true,
  grant: async (request, address) => {
    const { mode, ownerId } = await verifyUpload(signer, request.headers['x-signature'], address)
    return { actor: { kind: 'system', ownerId }, mode }
  },
})

const routesOf = (services: StorageServices, prefix: string) => (door: Door) => async (app: FastifyInstance) => {
  const { files, clock, externalUrl } = services
  const authorise =
    (request: FastifyRequest): Authorise =>
    async (upload) => {
      const { actor } = await door.grant(request, upload)
      if (upload.signed !== door.signed || !isTheirs(upload, actor)) {
        throw refusal('access_denied', 'This upload belongs to somebody else')
      }
      return actor
    }
  const append = async (request: FastifyRequest, id: string, offset: number): Promise<PendingUpload> => {
    const finished = keepPace(request.raw, clock, services.pace)
    try {
      return await files.resumable.append(id, authorise(request), { ...bodyOf(request), offset })
    } catch (error) {
      throw brokenOff(request.raw) ? connectionLost(error) : error
    } finally {
      finished()
    }
  }

  const options = async (_request: FastifyRequest, reply: FastifyReply) =>
    reply
      .code(204)
      .headers({ 'tus-version': TUS_VERSION, 'tus-extension': TUS_EXTENSIONS })
      .header('tus-max-size', files.fileSizeLimit)
      .send()
  app.options('/', options)
  app.options('/:id', options)

  app.post('/', async (request, reply) => {
    const about = draftOf(request.headers)
    const { actor, mode } = await door.grant(request, about)
    const draft = { ...about, mode, signed: door.signed }
    const ids = piecesOf(about.concat)
    let upload =
      ids === null
        ? await files.resumable.create(actor, draft)
        : await files.resumable.concatenate(actor, draft, { ids, authorise: authorise(request) })
    const place = `${externalUrl(request)}${prefix}/upload/resumable${door.signed ? '/sign' : ''}/${upload.id}`
    if (hasChunk(request) && ids === null) upload = await append(request, upload.id, 0)
    return reply.code(201).header('location', place).headers(stateHeaders(upload)).send()
  })

  app.head<UploadRoute>('/:id', async (request, reply) => {
    const upload = await files.resumable.find(request.params.id, authorise(request))
    return reply
      .header('cache-control', 'no-store')
      .headers(stateHeaders(upload))
      .headers(descriptionHeaders(upload))
      .send()
  })

  app.patch<UploadRoute>('/:id', async (request, reply) => {
    if (!hasChunk(request)) throw refusal('mime_not_allowed', `Content-Type must be ${CHUNK_TYPE}`)
    const offset = bytesHeader(request.headers, 'upload-offset')
    if (offset === undefined) throw refusal('invalid_parameter', 'Upload-Offset is required')
    const upload = await append(request, request.params.id, offset)
    return reply.code(204).headers(stateHeaders(upload)).send()
  })

  app.delete<UploadRoute>('/:id', async (request, reply) => {
    await files.resumable.remove(request.params.id, authorise(request))
    return reply.code(204).send()
  })
}

/** What began with a login is continued by it, or by the service key; what began without one, by whoever knows its secret address. */
const isTheirs = ({ ownerId }: PendingUpload, actor: Actor): boolean =>
  actor.kind === 'system' || actor.caller.role === 'service_role' || actor.caller.userId === ownerId

const hasChunk = ({ headers }: FastifyRequest): boolean => headers['content-type']?.trim().toLowerCase() === CHUNK_TYPE

const bodyOf = ({ raw, headers }: FastifyRequest): Omit<Append, 'offset'> => ({
  length: bytesHeader(headers, 'upload-length'),
  announced: contentLengthOf(raw),
  body: raw,
})

/** Clients of tus go by the status of HTTP and show the text. */
const sendError = (error: Error, request: FastifyRequest, reply: FastifyReply): unknown => {
  const { statusCode } = wireOf(error)
  if (statusCode >= 500) request.log.error({ error }, 'resumable upload failed')
  const message = statusCode === 500 ? `Internal Server Error. Id: ${request.id}` : error.message
  return reply
    .code(statusCode === 544 ? 504 : statusCode)
    .type('text/plain; charset=utf-8')
    .send(message)
}
