/** The S3 protocol: which command a request is, who signed it, and errors in S3's words. What commands do is in `buckets.ts`, `objects.ts` and `multipart.ts`. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { reasonOf, refusal } from '../../../../files/errors.ts'
import { AppError } from '../../../../kernel/errors.ts'
import { addressOf, type ObjectRoute, type StorageServices } from '../context.ts'
import { wireOf } from '../errors.ts'
import { keepPace, letGo } from '../pace.ts'
import { brokenOff, connectionLost } from '../upload-body.ts'
import { bucketCommands } from './buckets.ts'
import { multipartCommands } from './multipart.ts'
import { objectCommands } from './objects.ts'
import { credentialsOf, isSignedBy, type SignedRequest, type Signing, signingOf } from './signature.ts'
import { xml } from './xml.ts'

const SKEW = 15 * 60_000

/** A command of S3. `key` is empty for a bucket's own. */
export type Command = (asked: Asked) => Promise<unknown>

export interface Asked {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly bucketId: string
  readonly name: string
  readonly query: URLSearchParams
  /** What chunks of the body continue the signature of; null for an address that was signed beforehand. */
  readonly signing: Signing | null
}

declare module 'fastify' {
  interface FastifyRequest {
    /** How a request of the S3 protocol was signed. */
    s3Signing: Signing | null
  }
}

export const s3Routes =
  (services: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, _payload, done) => done(null))
    app.setErrorHandler<Error>((error, request, reply) => {
      letGo(request.raw, services.clock)
      const lost = brokenOff(request.raw) && !(error instanceof AppError)
      return sendS3Error(lost ? connectionLost(error) : error, request, reply)
    })
    app.decorateRequest('s3Signing', null)
    app.addHook('onRequest', signedHook(services))
    const commands = { ...bucketCommands(services), ...objectCommands(services), ...multipartCommands(services) }
    const run = async (request: FastifyRequest, reply: FastifyReply, bucketId: string, name: string) => {
      const query = new URLSearchParams(splitUrl(request)[1])
      const command = commandOf(request, bucketId, { name, query })
      const found = Object.hasOwn(commands, command) ? commands[command] : undefined
      if (found === undefined) throw refusal('not_supported', `${command} is not supported`)
      const finished = keepPace(request.raw, services.clock, services.pace)
      try {
        return await found({ request, reply, bucketId, name, query, signing: request.s3Signing })
      } finally {
        finished()
      }
    }
    const method = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE']
    app.route({ method, url: '/', handler: (request, reply) => run(request, reply, '', '') })
    app.route<{ Params: { bucket: string } }>({
      method,
      url: '/:bucket',
      handler: (request, reply) => run(request, reply, request.params.bucket, ''),
    })
    app.route<ObjectRoute>({
      method,
      url: '/:bucket/*',
      handler: (request, reply) => {
        const { bucketId, name } = addressOf(request)
        return run(request, reply, bucketId, name === '/' ? '' : name)
      },
    })
  }

/** What makes a request mean something else than its method says. One that was missed here would overwrite an object with its own settings. */
const SUBRESOURCES = [
  ...['uploads', 'uploadId', 'delete', 'location', 'versioning', 'versions', 'attributes', 'acl', 'tagging', 'policy'],
  ...[
    'policyStatus',
    'cors',
    'lifecycle',
    'website',
    'encryption',
    'retention',
    'legal-hold',
    'object-lock',
    'torrent',
  ],
  ...['restore', 'select', 'accelerate', 'analytics', 'intelligent-tiering', 'inventory', 'logging', 'metrics'],
  ...['notification', 'ownershipControls', 'publicAccessBlock', 'replication', 'requestPayment', 'renameObject'],
  ...['session', 'metadataTable', 'metadataConfiguration', 'metadataInventoryTable', 'metadataJournalTable', 'abac'],
]

/** For example `GET bucket`, `PUT object uploadId` or `POST bucket delete`. */
const commandOf = (
  request: FastifyRequest,
  bucketId: string,
  { name, query }: { readonly name: string; readonly query: URLSearchParams },
): string => {
  const what = bucketId === '' ? 'service' : name === '' ? 'bucket' : 'object'
  const sub = SUBRESOURCES.find((each) => query.has(each))
  const copy = request.method === 'PUT' && request.headers['x-amz-copy-source'] !== undefined ? ['copy'] : []
  return [request.method, what, ...(sub === undefined ? [] : [sub]), ...copy].join(' ')
}

const splitUrl = (request: FastifyRequest): readonly [path: string, query: string] => {
  const url = request.raw.url ?? '/'
  const at = url.indexOf('?')
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)]
}

/** Puts the caller on the request whom the signature proves. */
const signedHook =
  ({ s3Credentials, clock, externalUrl }: StorageServices) =>
  async (request: FastifyRequest): Promise<void> => {
    const [path, query] = splitUrl(request)
    const signed: SignedRequest = { method: request.method, path, query, headers: request.headers }
    const credentials = credentialsOf(signed)
    if (credentials === null) throw refusal('access_denied', 'The request is not signed with AWS Signature Version 4')
    const { signedAt, expiresIn, accessKeyId, sessionToken } = credentials
    const age = clock.now() - signedAt
    const tooLate = age > (expiresIn === null ? SKEW : expiresIn * 1000)
    if (age < -SKEW || tooLate) throw refusal('signature_expired', 'The signature has expired, or the clocks differ')
    const known = (await s3Credentials?.(accessKeyId, sessionToken, request.raw)) ?? null
    // Behind a proxy, the client signed the address that it sees.
    const outside = new URL(externalUrl(request))
    const prefix = outside.pathname.replace(/\/$/, '')
    const seen = { ...signed, path: `${prefix}${path}`, headers: { ...signed.headers, host: outside.host } }
    const valid = known !== null && [signed, seen].some((each) => isSignedBy(known.secret, credentials, each))
    if (!valid) throw refusal('invalid_signature', 'The signature does not match, or the access key is unknown')
    request.caller = known.caller
    request.s3Signing = expiresIn === null ? signingOf(known.secret, credentials) : null
  }

const CODES: Readonly<Record<string, readonly [status: number, code: string]>> = {
  bucket_exists: [409, 'BucketAlreadyOwnedByYou'],
  object_exists: [412, 'PreconditionFailed'],
  invalid_signature: [403, 'SignatureDoesNotMatch'],
  signature_expired: [403, 'RequestTimeTooSkewed'],
  invalid_body: [400, 'MalformedXML'],
  invalid_parameter: [400, 'InvalidArgument'],
  not_supported: [501, 'NotImplemented'],
}

/** Answers a request with an error. */
export const sendS3Error = (error: Error, request: FastifyRequest, reply: FastifyReply): unknown => {
  const wire = wireOf(error)
  const [statusCode, code] = CODES[reasonOf(error) ?? ''] ?? [
    wire.statusCode === 544 ? 503 : wire.statusCode,
    wire.code,
  ]
  if (statusCode >= 500 && statusCode !== 501) request.log.error({ error }, 's3 request failed')
  const message = error instanceof AppError || statusCode < 500 ? error.message : 'We encountered an internal error'
  reply.code(statusCode)
  if (request.method === 'HEAD') return reply.send()
  const about = { Code: code, Message: message, Resource: splitUrl(request)[0], RequestId: request.id }
  return reply.type('application/xml').send(xml('Error', about).replace(/ xmlns="[^"]*"/, ''))
}
