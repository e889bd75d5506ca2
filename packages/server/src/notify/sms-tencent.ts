/** Short messages through Tencent Cloud (SendSms 2021-01-11), signed with TC3-HMAC-SHA256. */
import { createHash, createHmac } from 'node:crypto'
import { isObject } from '../kernel/json.ts'
import { postJson, type SmsSender, type SmsWorld, smsFailed } from './sms.ts'

export interface TencentSettings {
  readonly secretId: string
  readonly secretKey: string
  /** `SmsSdkAppId` of the console. */
  readonly sdkAppId: string
  readonly signName: string
  readonly templateId: string
  readonly region: string
  /** Another address than Tencent's own. */
  readonly endpoint?: string
}

export interface Tc3Request {
  readonly secretId: string
  readonly secretKey: string
  readonly service: string
  readonly host: string
  readonly contentType: string
  readonly body: string
  /** Seconds since 1970. */
  readonly timestamp: number
  readonly action?: string
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

/** The Authorization header of a Tencent Cloud request. */
export const signTc3 = (request: Tc3Request): string => {
  const date = new Date(request.timestamp * 1000).toISOString().slice(0, 10)
  const headers: readonly (readonly [string, string])[] = [
    ['content-type', request.contentType],
    ['host', request.host],
    ...(request.action === undefined ? [] : [['x-tc-action', request.action.toLowerCase()] as const]),
  ]
  const signed = headers.map(([name]) => name).join(';')
  const canonical = headers.map(([name, value]) => `${name}:${value}\n`).join('')
  const canonicalRequest = ['POST', '/', '', canonical, signed, sha256(request.body)].join('\n')
  const scope = `${date}/${request.service}/tc3_request`
  const toSign = ['TC3-HMAC-SHA256', request.timestamp, scope, sha256(canonicalRequest)].join('\n')
  const key = hmac(hmac(hmac(`TC3${request.secretKey}`, date), request.service), 'tc3_request')
  const signature = hmac(key, toSign).toString('hex')
  return `TC3-HMAC-SHA256 Credential=${request.secretId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`
}

const HOST = 'sms.tencentcloudapi.com'
const CONTENT_TYPE = 'application/json; charset=utf-8'

export const createTencentSms = (settings: TencentSettings, { clock }: SmsWorld): SmsSender => ({
  async send({ to, code }) {
    const timestamp = Math.floor(clock.now() / 1000)
    const url = settings.endpoint ?? `https://${HOST}`
    const host = new URL(url).host
    const body = JSON.stringify({
      PhoneNumberSet: [to],
      SmsSdkAppId: settings.sdkAppId,
      SignName: settings.signName,
      TemplateId: settings.templateId,
      TemplateParamSet: [code],
    })
    const { secretId, secretKey } = settings
    const authorization = signTc3({
      secretId,
      secretKey,
      service: 'sms',
      host,
      contentType: CONTENT_TYPE,
      body,
      timestamp,
      action: 'SendSms',
    })
    const headers = {
      authorization,
      'content-type': CONTENT_TYPE,
      'x-tc-action': 'SendSms',
      'x-tc-timestamp': String(timestamp),
      'x-tc-version': '2021-01-11',
      'x-tc-region': settings.region,
    }
    return messageId(await postJson('tencent', url, { headers, body }))
  },
})

/** The serial number of the only message, or why there is none. */
const messageId = (answer: unknown): string => {
  const response = isObject(answer) && isObject(answer.Response) ? answer.Response : {}
  if (isObject(response.Error)) throw smsFailed('tencent', `${response.Error.Code}: ${response.Error.Message}`)
  const [status] = Array.isArray(response.SendStatusSet) ? response.SendStatusSet : []
  if (!isObject(status) || status.Code !== 'Ok') {
    throw smsFailed('tencent', isObject(status) ? `${status.Code}: ${status.Message}` : 'no status')
  }
  return typeof status.SerialNo === 'string' ? status.SerialNo : ''
}
