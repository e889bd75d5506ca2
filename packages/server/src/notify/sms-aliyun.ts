/** Short messages through Alibaba Cloud (SendSms 2017-05-25), signed with the RPC signature, version 1.0. */
import { createHmac } from 'node:crypto'
import { isObject } from '../kernel/json.ts'
import { postJson, type SmsSender, type SmsWorld, smsFailed } from './sms.ts'

export interface AliyunSettings {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly signName: string
  /** For example `SMS_123456789`; its only variable is `code`. */
  readonly templateCode: string
  /** Another address than Alibaba's own. */
  readonly endpoint?: string
}

type Parameters = Readonly<Record<string, string>>

/** RFC 3986, which is stricter than encodeURIComponent. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

const queryOf = (parameters: Parameters): string =>
  Object.entries(parameters)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .join('&')

/** The `Signature` parameter of a request. */
export const signAliyun = (method: 'GET' | 'POST', parameters: Parameters, secret: string): string =>
  createHmac('sha1', `${secret}&`)
    .update(`${method}&${encode('/')}&${encode(queryOf(parameters))}`)
    .digest('base64')

export const createAliyunSms = (settings: AliyunSettings, { clock, ids }: SmsWorld): SmsSender => ({
  async send({ to, code }) {
    const parameters: Parameters = {
      AccessKeyId: settings.accessKeyId,
      Action: 'SendSms',
      Format: 'JSON',
      // Mainland numbers are written without country code, others without the plus.
      PhoneNumbers: to.replace(/^\+86/, '').replace(/^\+/, ''),
      RegionId: 'cn-hangzhou',
      SignName: settings.signName,
      SignatureMethod: 'HMAC-SHA1',
      SignatureNonce: ids.uuid(),
      SignatureVersion: '1.0',
      TemplateCode: settings.templateCode,
      TemplateParam: JSON.stringify({ code }),
      Timestamp: new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z'),
      Version: '2017-05-25',
    }
    const signature = signAliyun('POST', parameters, settings.accessKeySecret)
    const body = `${queryOf(parameters)}&Signature=${encode(signature)}`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await postJson('aliyun', settings.endpoint ?? 'https://dysmsapi.aliyuncs.com/', { headers, body })
    if (!isObject(answer) || answer.Code !== 'OK') {
      throw smsFailed('aliyun', isObject(answer) ? `${answer.Code}: ${answer.Message}` : 'no answer')
    }
    return typeof answer.BizId === 'string' ? answer.BizId : ''
  },
})
