/** `functions.*` and `storage.*` actions of `/admin`. */
import { isObject } from '../../../kernel/json.ts'
import { callFunction } from '../call-function.ts'
import { callerOf, ENVIRONMENT } from '../environment.ts'
import { CloudError, wireErrorOf } from '../errors.ts'
import { CLOUD_BUCKET, fileIdOf, parseFileId } from '../file-ids.ts'
import { deleteFiles, downloadUrls, type StorageContext, uploadTicket } from '../storage.ts'
import type { AdminAction, AdminRequest } from './context.ts'

const invokeFunction: AdminAction = async ({ services, body, grant }) => {
  const { function_name: name, request_data: data } = body
  const event = typeof data === 'string' ? data : data === undefined ? '' : JSON.stringify(data)
  const caller = grant === null ? null : callerOf(grant)
  return {
    data: { response_data: await callFunction(services.functions, { name, event, caller, trigger: 'function' }) },
  }
}

const storage = ({ services, base, caller }: AdminRequest): StorageContext => ({
  ...services,
  env: ENVIRONMENT,
  base,
  caller,
})

const listOf = (value: unknown, what: string): readonly unknown[] => {
  if (Array.isArray(value)) return value
  throw new CloudError('INVALID_PARAM', `${what} must be a list`)
}

const getUploadMetadata: AdminAction = async (request) => ({
  data: await uploadTicket(storage(request), request.body.path),
})

const batchGetDownloadUrl: AdminAction = async (request) => {
  const wanted = listOf(request.body.file_list, 'file_list').map((each) => {
    const { fileid, max_age: age } = isObject(each) ? each : {}
    if (typeof fileid !== 'string') throw new CloudError('INVALID_PARAM', 'fileid must be a text')
    return { fileId: fileid, seconds: typeof age === 'number' && age > 0 ? Math.ceil(age) : null }
  })
  const urls = await downloadUrls(storage(request), wanted)
  const list = urls.map(({ fileId, url, error }) => ({
    code: error?.code ?? 'SUCCESS',
    fileID: fileId,
    fileid: fileId,
    tempFileURL: url,
    download_url: url,
    ...(error === null ? {} : { message: error.message }),
  }))
  return { data: { download_list: list } }
}

const batchDeleteFile: AdminAction = async (request) => {
  const ids = listOf(request.body.fileid_list, 'fileid_list').map(String)
  const deleted = await deleteFiles(storage(request), ids)
  return {
    data: {
      delete_list: deleted.map(({ fileId, error }) => ({
        code: error?.code ?? 'SUCCESS',
        fileID: fileId,
        fileid: fileId,
        ...(error === null ? {} : { message: error.message }),
      })),
    },
  }
}

const batchCopyFile: AdminAction = async (request) => {
  const { services, caller, body } = request
  const list = listOf(body.file_list, 'file_list').map(async (each) => {
    const { src_path: from, dst_path: to, overwrite, remove_original: removeOriginal } = isObject(each) ? each : {}
    if (typeof from !== 'string' || typeof to !== 'string')
      throw new CloudError('INVALID_PARAM', 'src_path and dst_path must be texts')
    const actor = { kind: 'caller', caller, operation: 'object.copy' } as const
    const target = { bucketId: CLOUD_BUCKET, name: to }
    try {
      const source = parseFileId(from) ?? { bucketId: CLOUD_BUCKET, name: from }
      const mode = overwrite === false ? 'create' : 'upsert'
      await services.files.objects.copy(actor, source, target, { mode })
      if (removeOriginal === true) await services.files.objects.remove(actor, source.bucketId, [source.name])
      return { code: 'SUCCESS', fileId: fileIdOf(ENVIRONMENT, target) }
    } catch (error) {
      const known = wireErrorOf(error)
      if (known === null) throw error
      return known
    }
  })
  return { data: { copy_list: await Promise.all(list) } }
}

export const otherActions: Readonly<Record<string, AdminAction>> = {
  'functions.invokeFunction': invokeFunction,
  'storage.getUploadMetadata': getUploadMetadata,
  'storage.batchGetDownloadUrl': batchGetDownloadUrl,
  'storage.batchDeleteFile': batchDeleteFile,
  'storage.batchCopyFile': batchCopyFile,
}
