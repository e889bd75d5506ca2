/** wx.request. */
import { concatBytes, isArrayBuffer, toArrayBuffer, utf8Decode, utf8Encode } from './bytes.ts'
import { flagOf, numberOf, type Options, optionsOf, settler, stringOf, wrongParameter } from './call.ts'
import { queryString, urlRefusal, withQuery } from './domains.ts'
import { cookiesOf, headerOf, requestHeaders, responseHeader } from './headers.ts'
import type { HeaderList } from './host.ts'
import type { Phone } from './phone.ts'
import { runTransfer, type Transfer, type TransferGate, taskEvents } from './transfer.ts'

const METHODS = ['OPTIONS', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'CONNECT']
const WITHOUT_BODY = ['GET', 'HEAD', 'TRACE', 'CONNECT']

interface Outgoing {
  readonly url: string
  readonly method: string
  readonly headers: HeaderList
  readonly body: Uint8Array | null
}

/** Builds wx.request. */
export function createRequest(phone: Phone, gate: TransferGate) {
  const warned = { patch: false }
  return (raw?: unknown) => {
    const options = optionsOf(raw)
    const settle = settler('request', options, phone)
    const events = taskEvents(phone)
    let transfer: Transfer | null = null
    const refusal = refuseRequest(options, phone, warned)
    if (refusal) settle.fail(refusal.reason, refusal.errno === undefined ? {} : { errno: refusal.errno })
    else transfer = start(phone, gate, options, settle, events)
    return {
      abort: () => transfer?.stop('abort'),
      onHeadersReceived: events.headers.on,
      offHeadersReceived: events.headers.off,
      onChunkReceived: events.chunk.on,
      offChunkReceived: events.chunk.off,
    }
  }
}

const methodOf = (options: Options) => stringOf(options.method, 'GET').toUpperCase() || 'GET'

function refuseRequest(
  options: Options,
  phone: Phone,
  warned: { patch: boolean },
): { reason: string; errno?: number } | null {
  const wrong = wrongParameter(options, 'url', 'String')
  if (wrong) return { reason: wrong, errno: 1001 }
  const method = methodOf(options)
  if (method === 'PATCH') {
    if (phone.settings.patchMethod === 'refuse') return { reason: 'method is invalid', errno: 1001 }
    if (!warned.patch) phone.host.log('warn', 'wx.request: PATCH is not a documented method; a phone may refuse it')
    warned.patch = true
  } else if (!METHODS.includes(method)) return { reason: 'method is invalid', errno: 1001 }
  return urlRefusal(stringOf(options.url), 'request', phone.settings)
}

/** GET data becomes the query; otherwise data becomes the body, by its type and the content type. */
function outgoing(options: Options, phone: Phone): Outgoing {
  const method = methodOf(options)
  const data = options.data
  const headers = requestHeaders(options.header, phone.settings, 'application/json')
  const url = stringOf(options.url)
  if (data === undefined || data === null) return { url, method, headers, body: null }
  if (WITHOUT_BODY.includes(method)) {
    const query = typeof data === 'object' && !isArrayBuffer(data) ? queryString(data) : ''
    return { url: withQuery(url, query), method, headers, body: null }
  }
  return { url, method, headers, body: bodyOf(data, headerOf(headers, 'content-type')) }
}

function bodyOf(data: unknown, contentType: string): Uint8Array {
  if (isArrayBuffer(data)) return new Uint8Array(data.slice(0))
  if (typeof data === 'string') return utf8Encode(data)
  if (typeof data === 'object' && data !== null && contentType.includes('application/x-www-form-urlencoded'))
    return utf8Encode(queryString(data))
  return utf8Encode(JSON.stringify(data) ?? '')
}

function start(
  phone: Phone,
  gate: TransferGate,
  options: Options,
  settle: ReturnType<typeof settler>,
  events: ReturnType<typeof taskEvents>,
): Transfer {
  const { headerCase, limits } = phone.settings
  const chunked = flagOf(options.enableChunked)
  const chunks: Uint8Array[] = []
  const header = (list: HeaderList) => responseHeader(list, headerCase)
  const call = {
    ...outgoing(options, phone),
    api: 'request',
    redirect: options.redirect === 'manual' ? ('manual' as const) : ('follow' as const),
    timeout: numberOf(options.timeout, limits.requestTimeout),
  }
  return runTransfer(
    phone,
    gate,
    call,
    {
      head: (statusCode, list) =>
        events.headers.emit({ header: header(list), cookies: cookiesOf(list), statusCode, errMsg: 'request:ok' }),
      data: (chunk) => {
        if (chunked) events.chunk.emit({ data: toArrayBuffer(chunk) })
        else chunks.push(chunk)
      },
      end: (statusCode, list) =>
        settle.ok({
          data: readBody(concatBytes(chunks), options),
          statusCode,
          header: header(list),
          cookies: cookiesOf(list),
        }),
    },
    settle,
  )
}

/** One JSON.parse attempt whatever the content type; what does not parse stays text. */
function readBody(bytes: Uint8Array, options: Options): unknown {
  if (options.responseType === 'arraybuffer') return toArrayBuffer(bytes)
  const text = utf8Decode(bytes).replace(/^\ufeff/, '')
  if (stringOf(options.dataType, 'json') !== 'json') return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
