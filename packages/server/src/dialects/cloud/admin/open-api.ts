/**
 * `wx.openApi`: WeChat's HTTP API on behalf of a cloud function, with the app's own access token. The function sends pairs of names and JSON values
 * in protobuf; WeChat's answer goes back whole. What only WeChat's own backend can do (CloudIDs, signatures of payments) is refused.
 */
import { type Json, type JsonObject, parseJson } from '../../../kernel/json.ts'
import type { WechatClient } from '../../../wechat/client.ts'
import { WechatError } from '../../../wechat/errors.ts'
import type { WechatAnswer, WechatFile } from '../../../wechat/transport.ts'
import { CloudError } from '../errors.ts'
import { BY_GET, OPEN_API_PATHS } from './open-api-paths.ts'
import { bytesOf, readFields, writeFields } from './protobuf.ts'

export interface OpenApiCall {
  /** Null where no mini-program is configured. */
  readonly wechat: WechatClient | null
  /** For example `subscribeMessage.send`. */
  readonly apiName: string
  /** APIs that the function's config.json names; null for all. */
  readonly allowed: readonly string[] | null
}

/** Numbers of the fields of CommApiData, of its data, of a pair, and of CommOpenApiResp. */
const REQUEST = { openApiData: 2, pair: 1, key: 1, value: 2, contentType: 3, fileName: 4 } as const
const REPLY = { data: 1, contentType: 2, httpCode: 4 } as const

/** A protobuf message for a protobuf message. Throws CloudError. */
export const callOpenApi = async (call: OpenApiCall, message: Buffer): Promise<Buffer> => {
  const data = bytesOf(readFields(message), REQUEST.openApiData)
  if (data === null) {
    throw new CloudError('INVALID_PARAM', `${call.apiName} is a service inside of WeChat and not offered here`)
  }
  return replyOf(await ask(call, pairsOf(data)))
}

/** The same with JSON for JSON: `wx.api` of older SDKs. */
export const callOpenApiJson = async (call: OpenApiCall, data: JsonObject): Promise<string> => {
  const answer = await ask(call, { values: data, files: [] })
  return answer.kind === 'json' ? JSON.stringify(answer.json) : Buffer.from(answer.bytes).toString('base64')
}

interface Pairs {
  readonly values: JsonObject
  readonly files: readonly WechatFile[]
}

/** A pair with a content type is a file, any other a JSON value. */
const pairsOf = (data: Buffer): Pairs => {
  const values: Record<string, Json> = {}
  const files: WechatFile[] = []
  for (const { number, value } of readFields(data)) {
    if (number !== REQUEST.pair || !Buffer.isBuffer(value)) continue
    const fields = readFields(value)
    const text = (field: number): string => bytesOf(fields, field)?.toString('utf8') ?? ''
    const bytes = bytesOf(fields, REQUEST.value) ?? Buffer.alloc(0)
    const [key, type] = [text(REQUEST.key), text(REQUEST.contentType)]
    if (type === '') values[key] = parseJson(bytes.toString('utf8')) ?? bytes.toString('utf8')
    else files.push({ field: key, bytes, type, name: text(REQUEST.fileName) || 'file' })
  }
  return { values, files }
}

const ask = async ({ wechat, apiName, allowed }: OpenApiCall, { values, files }: Pairs): Promise<WechatAnswer> => {
  const path = Object.hasOwn(OPEN_API_PATHS, apiName) ? OPEN_API_PATHS[apiName] : undefined
  if (path === undefined) throw new CloudError('INVALID_PARAM', `the API ${apiName} is not known`)
  if (allowed !== null && !allowed.includes(apiName)) {
    throw new CloudError('INVALID_REQUEST_SOURCE', `config.json of this function does not permit openapi.${apiName}`)
  }
  if (wechat === null) throw new CloudError('INVALID_PARAM', 'no mini-program is configured on this server')
  try {
    if (files.length > 0) return await wechat.ask({ path, files })
    return BY_GET.has(path)
      ? await wechat.ask({ path, query: textsOf(values) })
      : await wechat.ask({ path, body: values })
  } catch (error) {
    // A refusal of WeChat's is an answer to the function.
    if (!(error instanceof WechatError)) throw error
    const errmsg = error.message.replace(/^WeChat: -?\d+ /, '')
    return { kind: 'json', json: { errcode: error.errcode, errmsg } }
  }
}

const textsOf = (values: JsonObject): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]),
  )

const replyOf = (answer: WechatAnswer): Buffer => {
  const json = answer.kind === 'json'
  const data = json ? Buffer.from(JSON.stringify(answer.json)) : Buffer.from(answer.bytes)
  return writeFields([
    { number: REPLY.data, value: data },
    { number: REPLY.contentType, value: Buffer.from(json ? 'application/json' : pictureType(data)) },
    { number: REPLY.httpCode, value: 200 },
  ])
}

const pictureType = (bytes: Buffer): string => (bytes[0] === 0x89 ? 'image/png' : 'image/jpeg')
