/** wx.uploadFile (multipart, one file) and wx.downloadFile (into a temporary or a named file). */
import { concatBytes, utf8Decode, utf8Encode } from './bytes.ts'
import { numberOf, type Options, optionsOf, settler, stringOf, wrongParameter } from './call.ts'
import { urlRefusal } from './domains.ts'
import { cookiesOf, headerOf, requestHeaders, responseHeader } from './headers.ts'
import { extensionOf, mimeOf } from './media-types.ts'
import type { Phone } from './phone.ts'
import { runTransfer, type Transfer, type TransferGate, taskEvents } from './transfer.ts'
import { FileRefusal, type VirtualFiles } from './virtual-files.ts'

type Refusal = { reason: string; errno?: number }

function refuse(
  options: Options,
  names: readonly string[],
  phone: Phone,
  purpose: 'upload' | 'download',
): Refusal | null {
  for (const name of names) {
    const wrong = wrongParameter(options, name, 'String')
    if (wrong) return { reason: wrong, errno: 1001 }
  }
  return urlRefusal(stringOf(options.url), purpose, phone.settings)
}

const errnoOf = (refusal: Refusal) => (refusal.errno === undefined ? {} : { errno: refusal.errno })

const quote = (text: string) => text.replace(/"/g, '%22').replace(/\r?\n/g, '%0D%0A')

interface Part {
  readonly name: string
  readonly fileName: string
  readonly type: string
  readonly bytes: Uint8Array
}

/** The multipart body: the form's text fields, then the file. */
export function multipart(boundary: string, fields: Options, file: Part): Uint8Array {
  const text = Object.entries(fields)
    .map(
      ([name, value]) =>
        `--${boundary}\r\nContent-Disposition: form-data; name="${quote(name)}"\r\n\r\n${String(value)}\r\n`,
    )
    .join('')
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="${quote(file.name)}"; filename="${quote(file.fileName)}"\r\nContent-Type: ${file.type}\r\n\r\n`
  return concatBytes([utf8Encode(text + head), file.bytes, utf8Encode(`\r\n--${boundary}--\r\n`)])
}

const progress = (done: number, total: number) => (total > 0 ? Math.floor((done / total) * 100) : 100)

/** Builds wx.uploadFile. */
export function createUpload(phone: Phone, gate: TransferGate, files: VirtualFiles) {
  return (raw?: unknown) => {
    const options = optionsOf(raw)
    const settle = settler('uploadFile', options, phone)
    const events = taskEvents(phone)
    let transfer: Transfer | null = null
    const refusal = refuse(options, ['url', 'filePath', 'name'], phone, 'upload') ?? missing(options, files)
    if (refusal) settle.fail(refusal.reason, errnoOf(refusal))
    else transfer = startUpload(phone, gate, files, { options, settle, events })
    return {
      abort: () => transfer?.stop('abort'),
      onProgressUpdate: events.progress.on,
      offProgressUpdate: events.progress.off,
      onHeadersReceived: events.headers.on,
      offHeadersReceived: events.headers.off,
    }
  }
}

function missing(options: Options, files: VirtualFiles): Refusal | null {
  const path = stringOf(options.filePath)
  return files.exists(path) ? null : { reason: `file not found` }
}

interface Started {
  readonly options: Options
  readonly settle: ReturnType<typeof settler>
  readonly events: ReturnType<typeof taskEvents>
}

function startUpload(phone: Phone, gate: TransferGate, files: VirtualFiles, started: Started): Transfer {
  const { options, settle, events } = started
  const path = stringOf(options.filePath)
  const boundary = `----WxFormBoundary${phone.clock.now().toString(36)}${path.length}`
  const bytes = files.read(path)
  const body = multipart(boundary, optionsOf(options.formData), {
    name: stringOf(options.name),
    fileName: path.slice(path.lastIndexOf('/') + 1),
    type: mimeOf(bytes, path),
    bytes,
  })
  const headers = requestHeaders(options.header, phone.settings, null).filter(
    ([name]) => name.toLowerCase() !== 'content-type',
  )
  headers.push(['Content-Type', `multipart/form-data; boundary=${boundary}`])
  const chunks: Uint8Array[] = []
  const header = (list: Parameters<typeof responseHeader>[0]) => responseHeader(list, phone.settings.headerCase)
  return runTransfer(
    phone,
    gate,
    {
      api: 'uploadFile',
      url: stringOf(options.url),
      method: 'POST',
      headers,
      redirect: 'follow',
      body,
      timeout: numberOf(options.timeout, phone.settings.limits.requestTimeout),
    },
    {
      sent: (done, total) =>
        events.progress.emit({
          progress: progress(done, total),
          totalBytesSent: done,
          totalBytesExpectedToSend: total,
        }),
      head: (statusCode, list) => events.headers.emit({ header: header(list), statusCode }),
      data: (chunk) => void chunks.push(chunk),
      end: (statusCode, list) =>
        settle.ok({
          data: utf8Decode(concatBytes(chunks)),
          statusCode,
          header: header(list),
          cookies: cookiesOf(list),
        }),
    },
    settle,
  )
}

/** Builds wx.downloadFile. */
export function createDownload(phone: Phone, gate: TransferGate, files: VirtualFiles) {
  return (raw?: unknown) => {
    const options = optionsOf(raw)
    const settle = settler('downloadFile', options, phone)
    const events = taskEvents(phone)
    let transfer: Transfer | null = null
    const refusal = refuse(options, ['url'], phone, 'download')
    if (refusal) settle.fail(refusal.reason, errnoOf(refusal))
    else transfer = startDownload(phone, gate, files, { options, settle, events })
    return {
      abort: () => transfer?.stop('abort'),
      onProgressUpdate: events.progress.on,
      offProgressUpdate: events.progress.off,
      onHeadersReceived: events.headers.on,
      offHeadersReceived: events.headers.off,
    }
  }
}

function startDownload(phone: Phone, gate: TransferGate, files: VirtualFiles, started: Started): Transfer {
  const { options, settle, events } = started
  const { limits, headerCase } = phone.settings
  const chunks: Uint8Array[] = []
  let received = 0
  let expected = 0
  const transfer: Transfer = runTransfer(
    phone,
    gate,
    {
      api: 'downloadFile',
      url: stringOf(options.url),
      method: 'GET',
      headers: requestHeaders(options.header, phone.settings, null),
      redirect: 'follow',
      body: null,
      timeout: numberOf(options.timeout, limits.requestTimeout),
    },
    {
      head: (statusCode, list) => {
        expected = Number(headerOf(list, 'content-length')) || 0
        events.headers.emit({ header: responseHeader(list, headerCase), statusCode })
      },
      data: (chunk) => {
        chunks.push(chunk)
        received += chunk.length
        if (received > limits.downloadBytes) return transfer.stop('exceed max file size')
        events.progress.emit({
          progress: progress(received, expected),
          totalBytesWritten: received,
          totalBytesExpectedToWrite: expected,
        })
      },
      end: (statusCode, list) => {
        const bytes = concatBytes(chunks)
        const kept = keep(files, bytes, options, headerOf(list, 'content-type'))
        if (typeof kept === 'string') settle.fail(kept)
        else settle.ok({ ...kept, statusCode, header: responseHeader(list, headerCase), dataLength: bytes.length })
      },
    },
    settle,
  )
  return transfer
}

function keep(files: VirtualFiles, bytes: Uint8Array, options: Options, type: string): object | string {
  const filePath = stringOf(options.filePath)
  if (filePath === '') {
    const name = stringOf(options.url).split(/[?#]/, 1)[0] ?? ''
    return { tempFilePath: files.addTemporary(bytes, extensionOf(bytes, name, type)) }
  }
  try {
    files.write(filePath, bytes)
    return { filePath }
  } catch (error) {
    if (error instanceof FileRefusal) return error.message
    throw error
  }
}
