/** Files: by `cloud://` id, over wx.uploadFile and wx.downloadFile. */
import type { Wx } from '../core/platform.ts'
import { answer, type Callbacks, cloudError, hasCallbacks } from './style.ts'
import type { Transport } from './transport.ts'
import { isPlain, type Plain } from './values.ts'

/** What wx.uploadFile and wx.downloadFile answer at once. */
export interface Task {
  abort(): void
  onProgressUpdate(listener: (progress: Plain) => void): void
  offProgressUpdate?(listener?: (progress: Plain) => void): void
  onHeadersReceived?(listener: (answer: Plain) => void): void
  offHeadersReceived?(listener?: (answer: Plain) => void): void
}

interface Transfer {
  readonly url: string
  readonly success: (result: {
    readonly statusCode: number
    readonly tempFilePath?: string
    readonly data?: unknown
  }) => void
  readonly fail: (error: unknown) => void
}

interface Transfers {
  uploadFile(
    options: Transfer & {
      readonly filePath: string
      readonly name: string
      readonly formData: Plain
      readonly header?: Plain
    },
  ): Task
  downloadFile(options: Transfer): Task
}

export interface UploadOptions extends Callbacks {
  readonly cloudPath: string
  readonly filePath: string
  readonly header?: Plain
}

const LISTENERS = ['onProgressUpdate', 'offProgressUpdate', 'onHeadersReceived', 'offHeadersReceived'] as const

/** A task that can be listened to before its transfer has begun. */
class EarlyTask {
  private _real: Task | null = null
  private _aborted = false
  private readonly _waiting: ((task: Task) => void)[] = []

  begin(task: Task): void {
    this._real = task
    if (this._aborted) task.abort()
    for (const each of this._waiting) each(task)
  }

  abort(): void {
    this._aborted = true
    this._real?.abort()
  }

  call(name: (typeof LISTENERS)[number], listener: (value: Plain) => void): void {
    const run = (task: Task): void => task[name]?.(listener)
    if (this._real === null) this._waiting.push(run)
    else run(this._real)
  }
}

export function createFiles(platform: Wx, transport: Transport) {
  // The platform's own; only these two members are used here.
  const wx = platform as unknown as Transfers

  const uploadFile = (
    options: UploadOptions,
  ): Promise<{ fileID: string; statusCode: number; errMsg: string }> | Task => {
    const api = 'cloud.uploadFile'
    const early = new EarlyTask()
    const done = answer(api, options, () => {
      const { cloudPath, filePath, header } = options
      if (typeof cloudPath !== 'string' || typeof filePath !== 'string')
        throw cloudError(api, -401002, 'cloudPath and filePath must be texts')
      return transport.call(api, 'storage.getUploadMetadata', { path: cloudPath, method: 'post' }).then(
        ({ data = {} }) =>
          new Promise<{ fileID: string; statusCode: number }>((resolve, reject) => {
            const task = wx.uploadFile({
              url: String(data.url),
              filePath,
              name: 'file',
              ...(header === undefined ? {} : { header }),
              formData: { key: cloudPath, signature: data.authorization, success_action_status: '201' },
              success: ({ statusCode, data: said }) => {
                if (statusCode >= 200 && statusCode < 300) resolve({ fileID: String(data.fileId), statusCode })
                else reject(cloudError(api, -403001, `statusCode ${statusCode} ${String(said ?? '')}`))
              },
              fail: reject,
            })
            early.begin(task)
          }),
      )
    })
    if (!hasCallbacks(options)) return done
    const task: Record<string, unknown> = { abort: () => early.abort() }
    LISTENERS.forEach((name) => {
      task[name] = (listener: (value: Plain) => void) => early.call(name, listener)
    })
    return task as unknown as Task
  }

  const temporary = (api: string, list: readonly unknown[]): Promise<readonly Plain[]> => {
    const files = list.map((each) => {
      const { fileID, maxAge } = isPlain(each) ? each : { fileID: each, maxAge: undefined }
      return { fileid: String(fileID), max_age: maxAge }
    })
    return transport
      .call(api, 'storage.batchGetDownloadUrl', { file_list: files })
      .then(({ data = {} }) => data.download_list as readonly Plain[])
  }

  const getTempFileURL = (options: Callbacks & { readonly fileList: readonly unknown[] }) =>
    answer('cloud.getTempFileURL', options, () =>
      temporary('cloud.getTempFileURL', options.fileList).then((list) => ({
        fileList: list.map(({ code, fileID, tempFileURL, message }, at) => {
          const asked = options.fileList[at]
          const maxAge = isPlain(asked) && typeof asked.maxAge === 'number' ? asked.maxAge : 86_400
          const good = code === 'SUCCESS'
          return { fileID, tempFileURL, maxAge, status: good ? 0 : 1, errMsg: good ? 'ok' : String(message) }
        }),
      })),
    )

  const downloadFile = (options: Callbacks & { readonly fileID: string }) => {
    const api = 'cloud.downloadFile'
    return answer(api, options, () =>
      temporary(api, [options.fileID]).then(([file = {}]) => {
        if (file.code !== 'SUCCESS') throw cloudError(api, -403003, String(file.message))
        return new Promise<{ tempFilePath: string; statusCode: number }>((resolve, reject) => {
          wx.downloadFile({
            url: encodeURI(String(file.tempFileURL)),
            success: ({ statusCode, tempFilePath = '' }) => {
              if (statusCode === 200) resolve({ tempFilePath, statusCode })
              else reject(cloudError(api, -403003, `statusCode ${statusCode}`))
            },
            fail: reject,
          })
        })
      }),
    )
  }

  const deleteFile = (options: Callbacks & { readonly fileList: readonly string[] }) =>
    answer('cloud.deleteFile', options, () =>
      transport
        .call('cloud.deleteFile', 'storage.batchDeleteFile', { fileid_list: options.fileList })
        .then(({ data = {} }) => ({
          fileList: (data.delete_list as readonly Plain[]).map(({ code, fileID, message }) => {
            const good = code === 'SUCCESS'
            return { fileID, status: good ? 0 : -1, errMsg: good ? 'ok' : String(message) }
          }),
        })),
    )

  return { uploadFile, downloadFile, getTempFileURL, deleteFile }
}
