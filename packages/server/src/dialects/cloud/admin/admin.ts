/**
 * `POST /admin`: what CloudBase's SDKs for servers speak. Everything is one address, an `action` names what is wanted, requests are signed with
 * TC3-HMAC-SHA256, and every answer is HTTP 200: their SDKs lose the code of any other.
 */
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import type { ExternalUrl } from '../../../http/external-url.ts'
import { keyCaller } from '../../../identity/identity.ts'
import type { AppKeys } from '../../../identity/keys.ts'
import type { Clock } from '../../../kernel/clock.ts'
import { isObject, parseJson } from '../../../kernel/json.ts'
import type { CredentialIssuer, Grant } from '../credentials.ts'
import { CloudError, wireErrorOf } from '../errors.ts'
import type { AdminAction, AdminAnswer, AdminServices } from './context.ts'
import { databaseActions } from './database.ts'
import { readForm } from './form.ts'
import { otherActions } from './functions.ts'
import { isSignedBy, readSignature } from './signature.ts'
import { wechatActions } from './wechat.ts'

export interface AdminOptions {
  readonly services: AdminServices
  readonly issuer: CredentialIssuer
  /** The operator's keys: the publishable one as SecretId, the secret one as SecretKey. */
  readonly keys: AppKeys
  readonly clock: Clock
  readonly externalUrl: ExternalUrl
}

const ACTIONS: Readonly<Record<string, AdminAction>> = { ...databaseActions, ...otherActions, ...wechatActions }

/** Mount without a prefix. */
export const adminSurface =
  (options: AdminOptions): FastifyPluginAsync =>
  async (app: FastifyInstance) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    app.setErrorHandler(sendAdminError)
    app.post('/admin', async (request, reply) => {
      const answer = await answerTo(options, request)
      // Bytes are a protobuf message; SDKs take anything but JSON for one.
      if (Buffer.isBuffer(answer)) return reply.header('content-type', 'application/octet-stream').send(answer)
      return reply.send({ requestId: request.id, ...answer })
    })
  }

/** Whatever goes wrong is an answer: a refusal in CloudBase's words, a failure of our own with an id that is in the log. */
export const sendAdminError = (error: unknown, request: FastifyRequest, reply: FastifyReply): unknown => {
  const known = wireErrorOf(error)
  if (known === null) request.log.error({ error }, 'request failed')
  const said = known ?? { code: 'SYS_ERR', message: `Something went wrong here. Id: ${request.id}` }
  return reply.code(200).send({ requestId: request.id, ...said })
}

const answerTo = async (options: AdminOptions, request: FastifyRequest): Promise<AdminAnswer | Buffer> => {
  const body = await bodyOf(request)
  const grant = authorize(options, request, body)
  const action =
    typeof body.action === 'string' && Object.hasOwn(ACTIONS, body.action) ? ACTIONS[body.action] : undefined
  if (action === undefined) throw new CloudError('INVALID_PARAM', `action ${String(body.action)} is not supported`)
  const { services, externalUrl } = options
  return action({ services, body, caller: keyCaller('service_role'), grant, base: externalUrl(request) })
}

/** JSON; or the parts of a form, of which those that are files are bytes. */
const bodyOf = async (request: FastifyRequest): Promise<Readonly<Record<string, unknown>>> => {
  const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const type = request.headers['content-type'] ?? ''
  if (type.startsWith('multipart/form-data')) return readForm(bytes, type)
  const body = parseJson(bytes.toString('utf8'))
  if (isObject(body)) return body
  throw new CloudError('INVALID_COMMON_PARAM', 'the body is not a JSON object')
}

/** Null for the operator. Throws unless the request is signed with credentials of ours. */
const authorize = (
  { issuer, keys, clock }: AdminOptions,
  request: FastifyRequest,
  params: Readonly<Record<string, unknown>>,
): Grant | null => {
  const signed = readSignature(request.headers.authorization)
  if (signed === null) throw new CloudError('SIGN_PARAM_INVALID', 'the request is not signed')
  const token = typeof params.sessionToken === 'string' ? params.sessionToken : ''
  const opened = token === '' ? null : issuer.open(signed.secretId, token)
  const secretKey = opened?.secretKey ?? (signed.secretId === keys.publishableKey ? keys.secretKey : null)
  if (secretKey === null) throw new CloudError('SIGN_PARAM_INVALID', 'the credentials are not valid or have expired')
  const [path = '', query = ''] = (request.raw.url ?? '').split('?', 2)
  const address = `//${request.headers.host ?? ''}${path}`
  const method = request.method
  const known = { address, query, headers: request.headers, params }
  // SDKs sign the name of the method in either case.
  const good = [method.toLowerCase(), method].some((each) =>
    isSignedBy(signed, { ...known, method: each }, secretKey, clock.now()),
  )
  if (!good) throw new CloudError('SIGN_PARAM_INVALID', 'the signature does not match the request')
  return opened?.grant ?? null
}
