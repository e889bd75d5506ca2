/** A form with one file by path, sent by `wx.uploadFile`: it never enters memory, and tells how far it is. */
import { type File, pathOf } from '../body/files.ts'
import type { FormData } from '../body/form-data.ts'
import { mediaType } from '../body/media-type.ts'
import type { Request } from '../body/request.ts'
import type { WxTask } from '../core/platform.ts'
import { bytesIn, type Exchange, failureOf, settle, tunnelled } from './transport.ts'

export interface Upload {
  readonly name: string
  readonly path: string
  readonly file: File
  readonly fields: Record<string, string>
}

/** The form as `wx.uploadFile` takes it: exactly one file, by path, and strings. Null: its bytes have to be read and sent by `wx.request`. */
export function uploadOf(request: Request): Upload | null {
  if (!request._form || !/^(POST|PUT|PATCH)$/.test(request.method)) return null
  const fields: Record<string, string> = {}
  const files: Upload[] = []
  let isPlain = true
  request._form.forEach((value: string | File, name: string, form: FormData) => {
    if (typeof value === 'string') {
      fields[name] = value
      // An object holds one value for a name, and no value for this one.
      if (form.getAll(name).length > 1 || name === '__proto__') isPlain = false
    } else files.push({ name, path: pathOf(value) ?? '', file: value, fields })
  })
  const upload = files[0]
  if (!isPlain || files.length !== 1 || !upload || upload.path === '') return null
  // The system takes the type of the part from the path; a type that says something else would be lost.
  const { type } = upload.file
  return type === '' || type === mediaType(upload.path) ? upload : null
}

export function startUpload(exchange: Exchange, upload: Upload): WxTask {
  const { _request: request, _wx: wx } = exchange
  const { method: _, header } = tunnelled(request, /^POST$/)
  // The boundary is made by the system.
  delete header['content-type']
  const task = wx.uploadFile({
    url: request.url.replace(/#.*$/, ''),
    filePath: upload.path,
    // An empty field name is legal in a form and refused by the system.
    name: upload.name || 'file',
    formData: upload.fields,
    header,
    ...(request._extra.timeout === undefined ? {} : { timeout: request._extra.timeout }),
    success: (answer) => {
      exchange._leave()
      settle(exchange, answer, bytesIn(answer.data))
    },
    fail: (failure) => {
      exchange._leave()
      exchange._reject(failureOf(failure, request))
    },
  })
  task.onProgressUpdate?.(({ totalBytesSent, totalBytesExpectedToSend }) => {
    const progress = { loaded: totalBytesSent, total: totalBytesExpectedToSend }
    request._extra.onUploadProgress?.(progress)
    upload.file.onProgress?.(progress)
  })
  return task
}
