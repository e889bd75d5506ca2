/** Where CloudBase's SDKs put the bytes of a file, with the permission that they were given: as the body itself, or as the file of a form. */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { Files } from '../../files/files.ts'
import { readForm } from '../../files/form-file.ts'
import { typeOfBody, typeOfPart } from '../../files/media-types.ts'
import { parseObjectName } from '../../files/names.ts'
import { type UrlSigner, verifyUpload } from '../../files/signing.ts'
import type { Address } from '../../files/types.ts'
import type { Upload } from '../../files/uploads.ts'
import { statusOf } from '../../http/server.ts'
import { toError } from '../../kernel/errors.ts'
import { wireErrorOf } from './errors.ts'

export interface UploadServices {
  readonly files: Files
  readonly signer: UrlSigner
}

interface Params {
  readonly bucket: string
  readonly '*': string
}

/** Mount at `/cloud/upload`. */
export const uploadSurface =
  (services: UploadServices): FastifyPluginAsync =>
  async (app: FastifyInstance) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    app.setErrorHandler(sendXmlError)
    app.put<{ Params: Params }>('/:bucket/*', async (request, reply) => {
      const name = addressOf(request.params)
      await receive(services, name, { token: request.headers.authorization, body: bodyOf(request.raw, name.name) })
      return reply.code(200).send()
    })
    app.post<{ Params: Params }>('/:bucket/*', async (request, reply) => {
      const address = addressOf(request.params)
      const form = await readForm(request.raw)
      const token = form.fields.get('signature') ?? form.fields.get('Signature') ?? request.headers.authorization
      const body = { body: form.stream, contentType: typeOfPart(form.contentType, address.name), announced: null }
      await receive(services, address, { token, body: { ...body, afterwards: async () => form.rest.then(() => ({})) } })
      const wanted = Number(form.fields.get('success_action_status') ?? 204)
      return reply.code(wanted === 200 || wanted === 201 ? wanted : 204).send()
    })
  }

const addressOf = ({ bucket, '*': name }: Params): Address => ({ bucketId: bucket, name: parseObjectName(name) })

type Body = Pick<Upload, 'body' | 'contentType' | 'announced' | 'afterwards'>

const bodyOf = (request: IncomingMessage, name: string): Body => {
  const length = request.headers['content-length']
  return {
    body: request,
    contentType: typeOfBody(request.headers['content-type'], name),
    announced: length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : null,
  }
}

interface Arriving {
  readonly token: string | undefined
  readonly body: Body
}

const receive = async (
  { files, signer }: UploadServices,
  address: Address,
  { token, body }: Arriving,
): Promise<void> => {
  const { mode, ownerId } = await verifyUpload(signer, token, address)
  await files.uploads.receive({ kind: 'system', ownerId }, { ...address, ...body, mode })
}

/** COS answers in XML, and SDKs read it. */
export const sendXmlError = (thrown: unknown, request: FastifyRequest, reply: FastifyReply): unknown => {
  const error = toError(thrown)
  const known = wireErrorOf(error)
  if (known === null) request.log.error({ error }, 'request failed')
  const message = known?.message ?? `Something went wrong here. Id: ${request.id}`
  const code = known?.code === 'STORAGE_SIGN_PARAM_INVALID' ? 'SignatureDoesNotMatch' : (known?.code ?? 'InternalError')
  const fields = { Code: code, Message: message, RequestId: request.id, TraceId: request.id }
  const inner = Object.entries(fields).map(([name, text]) => `<${name}>${inXml(text)}</${name}>`)
  return reply
    .code(known === null ? 500 : statusOf(error))
    .header('content-type', 'application/xml; charset=utf-8')
    .send(`<?xml version='1.0' encoding='utf-8' ?><Error>${inner.join('')}</Error>`)
}

const inXml = (text: string): string =>
  text.replace(/[<>&]/g, (letter) => ({ '<': '&lt;', '>': '&gt;', '&': '&amp;' })[letter] ?? letter)
