/** `wx.*` actions of `/admin`. */
import { isObject, parseJson } from '../../../kernel/json.ts'
import { CloudError } from '../errors.ts'
import type { AdminAction, AdminRequest } from './context.ts'
import { callOpenApi, callOpenApiJson, type OpenApiCall } from './open-api.ts'
import { ProtobufError } from './protobuf.ts'

const callOf = async ({ services, grant, body }: AdminRequest): Promise<OpenApiCall> => {
  if (typeof body.apiName !== 'string') throw new CloudError('INVALID_PARAM', 'apiName must be a text')
  const allowed = grant === null ? null : (await services.functions.configOf(grant.function)).openapi
  return { wechat: services.wechat, apiName: body.apiName, allowed }
}

const openApi: AdminAction = async (request) => {
  const { requestData } = request.body
  const message = Buffer.isBuffer(requestData) ? requestData : Buffer.from(String(requestData ?? ''), 'utf8')
  try {
    return await callOpenApi(await callOf(request), message)
  } catch (error) {
    throw error instanceof ProtobufError ? new CloudError('INVALID_PARAM', `requestData: ${error.message}`) : error
  }
}

const api: AdminAction = async (request) => {
  const { requestData } = request.body
  const data = parseJson(typeof requestData === 'string' && requestData !== '' ? requestData : '{}')
  if (!isObject(data)) throw new CloudError('INVALID_PARAM', 'requestData is not a JSON object')
  return { data: { responseData: await callOpenApiJson(await callOf(request), data) } }
}

const notOffered = (what: string): AdminAction => {
  return async () => {
    throw new CloudError('INVALID_PARAM', `${what} is a service inside of WeChat and not offered here`)
  }
}

export const wechatActions: Readonly<Record<string, AdminAction>> = {
  'wx.openApi': openApi,
  'wx.api': api,
  'wx.wxPayApi': notOffered('cloudPay'),
  'wx.wxCallContainerApi': notOffered('callContainer'),
}
