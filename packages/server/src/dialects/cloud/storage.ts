/** Files as wx.cloud knows them, over the one store that the Storage API has too. */
import { SYSTEM } from '../../files/door.ts'
import type { Files } from '../../files/files.ts'
import { signDownload, signUpload, type UrlSigner } from '../../files/signing.ts'
import type { Actor, Address } from '../../files/types.ts'
import type { Caller } from '../../identity/caller.ts'
import { type CloudCode, wireErrorOf } from './errors.ts'
import { addressOfPath, fileIdOf, parseFileId } from './file-ids.ts'

export interface StorageContext {
  readonly files: Files
  readonly signer: UrlSigner
  readonly env: string
  /** How the client reaches this server, without a slash at its end. */
  readonly base: string
  readonly caller: Caller
}

export interface UploadTicket {
  readonly url: string
  readonly token: string
  readonly authorization: string
  readonly fileId: string
  readonly cosFileId: string
  readonly download_url: string
}

const UPLOAD_SECONDS = 3_600
/** As long as WeChat's temporary addresses are good. */
const DOWNLOAD_SECONDS = 86_400
const MAX_FILES = 50

const actorOf = (caller: Caller, operation: string): Actor => ({ kind: 'caller', caller, operation })

/** Permission to upload one file. Throws when the caller may not. */
export const uploadTicket = async (context: StorageContext, path: unknown): Promise<UploadTicket> => {
  const { files, signer, env, base, caller } = context
  const address = addressOfPath(path)
  // An upload to a path that is taken replaces the file, as far as the caller may.
  await files.uploads.assertMayUpload(actorOf(caller, 'object.upload'), address, 'upsert')
  const authorization = await signUpload(signer, { ...address, mode: 'upsert', ownerId: caller.userId }, UPLOAD_SECONDS)
  const fileId = fileIdOf(env, address)
  return {
    url: `${base}/cloud/upload/${pathOf(address)}`,
    // What SDKs send back in a header of COS; all that is needed is in the authorization.
    token: 'none',
    authorization,
    fileId,
    cosFileId: Buffer.from(fileId).toString('base64url'),
    download_url: await downloadUrl(context, address, DOWNLOAD_SECONDS),
  }
}

/** Names go out as they are, but for what would end the path: SDKs run whole addresses through encodeURI. */
const pathOf = ({ bucketId, name }: Address): string => `${bucketId}/${name.replace(/[?#]/g, encodeURIComponent)}`

const downloadUrl = async ({ signer, base }: StorageContext, address: Address, seconds: number): Promise<string> =>
  `${base}/storage/v1/object/sign/${pathOf(address)}?token=${await signDownload(signer, address, seconds)}`

export interface WantedUrl {
  readonly fileId: string
  readonly seconds: number | null
}

export interface GivenUrl {
  readonly fileId: string
  readonly url: string
  readonly error: { readonly code: CloudCode; readonly message: string } | null
}

/** Temporary addresses; one that cannot be given is an answer of its own. */
export const downloadUrls = async (
  context: StorageContext,
  wanted: readonly WantedUrl[],
): Promise<readonly GivenUrl[]> =>
  Promise.all(
    wanted.slice(0, MAX_FILES).map(async ({ fileId, seconds }): Promise<GivenUrl> => {
      const address = parseFileId(fileId)
      if (address === null) return refused(fileId, 'INVALID_PARAM', 'the fileID is not valid')
      try {
        await context.files.objects.findOpen(actorOf(context.caller, 'object.sign'), address)
        return { fileId, url: await downloadUrl(context, address, seconds ?? DOWNLOAD_SECONDS), error: null }
      } catch (error) {
        const known = wireErrorOf(error)
        if (known === null) throw error
        return refused(fileId, known.code, known.message)
      }
    }),
  )

const refused = (fileId: string, code: CloudCode, message: string): GivenUrl => ({
  fileId,
  url: '',
  error: { code, message },
})

export interface Deleted {
  readonly fileId: string
  readonly error: { readonly code: CloudCode; readonly message: string } | null
}

/** Deletes what the caller may delete. A file that is not there, or not the caller's, is told as such. */
export const deleteFiles = async (context: StorageContext, fileIds: readonly string[]): Promise<readonly Deleted[]> =>
  Promise.all(
    fileIds.slice(0, MAX_FILES).map(async (fileId): Promise<Deleted> => {
      const address = parseFileId(fileId)
      if (address === null) return { fileId, error: { code: 'INVALID_PARAM', message: 'the fileID is not valid' } }
      const { objects } = context.files
      const removed = await objects.remove(actorOf(context.caller, 'object.delete'), address.bucketId, [address.name])
      if (removed.length > 0) return { fileId, error: null }
      const there = await objects.find(SYSTEM, address).then(
        () => true,
        () => false,
      )
      return {
        fileId,
        error: there
          ? { code: 'STORAGE_EXCEED_AUTHORITY', message: 'storage permission denied' }
          : { code: 'STORAGE_FILE_NONEXIST', message: 'the file does not exist' },
      }
    }),
  )
