/** Signed URLs for downloads, and the tokens of signed uploads. Following a signed URL needs no key. */
import type { FastifyInstance } from 'fastify'
import { SYSTEM } from '../../../files/door.ts'
import { refusal } from '../../../files/errors.ts'
import { signDownload, signRender, signUpload, verifyDownload } from '../../../files/signing.ts'
import { transformIn } from '../../../files/transforms.ts'
import type { Address } from '../../../files/types.ts'
import type { JsonObject } from '../../../kernel/json.ts'
import { objectBody, optionalInteger, texts } from './body.ts'
import { actorOf, addressOf, type ObjectRoute, type StorageServices } from './context.ts'
import { type DownloadRoute, server } from './routes-downloads.ts'

const MAX_NAMES = 1000
const MAX_SECONDS = 2 ** 31 - 1
/** As long as Supabase's. */
const UPLOAD_SECONDS = 2 * 3600

interface SignedRoute extends DownloadRoute {
  Querystring: DownloadRoute['Querystring'] & { token?: string | string[] }
}

export const signingRoutes =
  (services: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    const { files, signer } = services
    const serve = server(services)

    // Names go out as they are: clients run the whole URL through encodeURI.
    const signedUrl = async (address: Address, expiresIn: number): Promise<string> =>
      `/object/sign/${address.bucketId}/${address.name}?token=${await signDownload(signer, address, expiresIn)}`

    app.post<ObjectRoute>('/object/sign/:bucket/*', async (request) => {
      const body = objectBody(request.body)
      const expiresIn = secondsOf(body)
      const transform = transformIn(body)
      const address = addressOf(request)
      await files.objects.find(actorOf(request, 'object.sign'), address)
      if (transform === null) return { signedURL: await signedUrl(address, expiresIn) }
      const token = await signRender(signer, { ...address, transform }, expiresIn)
      return { signedURL: `/render/image/sign/${address.bucketId}/${address.name}?token=${token}` }
    })

    app.post<{ Params: { bucket: string } }>('/object/sign/:bucket', async (request) => {
      const body = objectBody(request.body)
      const expiresIn = secondsOf(body)
      const names = texts(body, 'paths', MAX_NAMES)
      const bucketId = request.params.bucket
      const found = await files.objects.findMany(actorOf(request, 'object.sign_many'), bucketId, names)
      const visible = new Set(found.map(({ name }) => name))
      return Promise.all(
        names.map(async (path) =>
          visible.has(path)
            ? { error: null, path, signedURL: await signedUrl({ bucketId, name: path }, expiresIn) }
            : { error: 'Either the object does not exist or you do not have access to it', path, signedURL: null },
        ),
      )
    })

    app.route<SignedRoute>({
      method: ['GET', 'HEAD'],
      url: '/object/sign/:bucket/*',
      handler: async (request, reply) => {
        const address = addressOf(request)
        await verifyDownload(signer, request.query.token, address)
        return serve(request, reply, () => files.objects.find(SYSTEM, address))
      },
    })
  }

/** The token of an upload. Spending it is among the uploads. */
export const uploadSigningRoutes =
  ({ files, signer }: StorageServices) =>
  async (app: FastifyInstance): Promise<void> => {
    app.post<ObjectRoute>('/object/upload/sign/:bucket/*', async (request) => {
      const address = addressOf(request)
      const mode = request.headers['x-upsert'] === 'true' ? 'upsert' : 'create'
      await files.uploads.assertMayUpload(actorOf(request, 'object.sign_upload_url'), address, mode)
      const grant = { ...address, mode, ownerId: request.caller.userId } as const
      const token = await signUpload(signer, grant, UPLOAD_SECONDS)
      return { url: `/object/upload/sign/${address.bucketId}/${address.name}?token=${token}`, token }
    })
  }

const secondsOf = (body: JsonObject): number => {
  const seconds = optionalInteger(body, 'expiresIn', [1, MAX_SECONDS])
  if (seconds === undefined) throw refusal('invalid_parameter', 'expiresIn must be a number of seconds')
  return seconds
}
