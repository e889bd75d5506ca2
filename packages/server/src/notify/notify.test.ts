/** Messages: signatures by the vendors' own examples, and what really arrives at a server on loopback. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { startMailbox, textOf } from '../../test/auth.ts'
import { silentLog } from '../observe/log.ts'
import { createSmtpMailer, noMailer } from './mailer.ts'
import { createWebhookSms } from './sms.ts'
import { createAliyunSms, signAliyun } from './sms-aliyun.ts'
import { createTencentSms, signTc3 } from './sms-tencent.ts'
import { DEFAULT_TEMPLATES, renderMail } from './templates.ts'
import { signWebhook } from './webhook.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

interface Asked {
  readonly url: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

const startVendor = async (answer: (asked: Asked) => { status?: number; body: string }) => {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const one = { url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() }
      asked.push(one)
      const { status = 200, body } = answer(one)
      response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => server.close(() => resolve())))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const NOW = Date.UTC(2024, 0, 2, 3, 4, 5)
const world = {
  clock: { now: () => NOW, after: () => () => {} },
  ids: { uuid: () => 'e2a6a1ac-0000-4000-8000-000000000001', secret: () => 's' },
}
const message = { to: '+8613800138000', text: 'Your code is 123456', code: '123456' }

describe('Tencent Cloud', () => {
  const example = {
    service: 'cvm',
    host: 'cvm.tencentcloudapi.com',
    contentType: 'application/json; charset=utf-8',
    body: '{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}',
    timestamp: 1_551_113_065,
  }

  it('signs as its documentation does', () => {
    const first = {
      ...example,
      secretId: 'AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE',
      secretKey: 'Gu5t9xGARNpq86cd98joQYCN3EXAMPLE',
    }
    expect(signTc3(first)).toBe(
      'TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168',
    )
    const stars = '*'.repeat(32)
    const second = { ...example, secretId: `AKID${stars}`, secretKey: stars, action: 'DescribeInstances' }
    expect(signTc3(second)).toContain('Signature=10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f')
  })

  it('sends a template with the code, and hears what became of it', async () => {
    let status = { Code: 'Ok', SerialNo: 'serial-1', Message: '' }
    const vendor = await startVendor(() => ({ body: JSON.stringify({ Response: { SendStatusSet: [status] } }) }))
    const settings = {
      secretId: 'id',
      secretKey: 'key',
      sdkAppId: '1400',
      signName: '茶馆',
      templateId: '7',
      region: 'ap-guangzhou',
    }
    const sms = createTencentSms({ ...settings, endpoint: vendor.url }, world)
    expect(await sms.send(message)).toBe('serial-1')
    expect(JSON.parse(vendor.asked[0]?.body ?? '')).toEqual({
      PhoneNumberSet: ['+8613800138000'],
      SmsSdkAppId: '1400',
      SignName: '茶馆',
      TemplateId: '7',
      TemplateParamSet: ['123456'],
    })
    const signed = { ...settings, service: 'sms', host: new URL(vendor.url).host, contentType: example.contentType }
    expect(vendor.asked[0]?.headers.authorization).toBe(
      signTc3({ ...signed, body: vendor.asked[0]?.body ?? '', timestamp: NOW / 1000, action: 'SendSms' }),
    )
    status = { Code: 'LimitExceeded.PhoneNumberDailyLimit', SerialNo: '', Message: 'too many' }
    await expect(sms.send(message)).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('Alibaba Cloud', () => {
  it('signs as its documentation does', () => {
    const common = { SignatureMethod: 'HMAC-SHA1', SignatureVersion: '1.0', Format: 'XML' }
    const regions = {
      ...common,
      AccessKeyId: 'testid',
      Action: 'DescribeRegions',
      SignatureNonce: '3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf',
      Version: '2014-05-26',
      Timestamp: '2016-02-23T12:46:24Z',
    }
    expect(signAliyun('GET', regions, 'testsecret')).toBe('OLeaidS1JvxuMvnyHOwuJ+uX5qY=')
    const text = {
      ...common,
      AccessKeyId: 'testId',
      Action: 'SendSms',
      OutId: '123',
      PhoneNumbers: '15300000001',
      RegionId: 'cn-hangzhou',
      SignName: '阿里云短信测试专用',
      SignatureNonce: '45e25e9b-0a6f-4070-8c85-2956eda1b466',
      TemplateCode: 'SMS_71390007',
      TemplateParam: '{"customer":"test"}',
      Timestamp: '2017-07-12T02:42:19Z',
      Version: '2017-05-25',
    }
    expect(signAliyun('GET', text, 'testSecret')).toBe('zJDF+Lrzhj/ThnlvIToysFRq6t4=')
  })

  it('sends a template with the code, and hears what became of it', async () => {
    let answer: object = { Code: 'OK', BizId: 'biz-1' }
    const vendor = await startVendor(() => ({ body: JSON.stringify(answer) }))
    const settings = { accessKeyId: 'id', accessKeySecret: 'secret', signName: '茶馆', templateCode: 'SMS_1' }
    const sms = createAliyunSms({ ...settings, endpoint: vendor.url }, world)
    expect(await sms.send(message)).toBe('biz-1')
    const { Signature, ...sent } = Object.fromEntries(new URLSearchParams(vendor.asked[0]?.body))
    expect(sent).toMatchObject({
      PhoneNumbers: '13800138000',
      TemplateParam: '{"code":"123456"}',
      Timestamp: '2024-01-02T03:04:05Z',
    })
    expect(Signature).toBe(signAliyun('POST', sent, 'secret'))
    answer = { Code: 'isv.BUSINESS_LIMIT_CONTROL', Message: 'too many' }
    await expect(sms.send(message)).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('a webhook', () => {
  it('is signed, and tells whether it took the message', async () => {
    let status = 200
    const vendor = await startVendor(() => ({ status, body: '{}' }))
    const secret = `v1,whsec_${Buffer.from('a secret of the operator').toString('base64')}`
    const sms = createWebhookSms({ url: vendor.url, secret }, world)
    const id = await sms.send(message)
    const [asked] = vendor.asked
    expect(JSON.parse(asked?.body ?? '')).toEqual({
      user: { phone: message.to },
      sms: { otp: '123456', text: message.text },
    })
    expect(asked?.headers['webhook-id']).toBe(id)
    expect(asked?.headers['webhook-signature']).toBe(`v1,${signWebhook(secret, `${id}.${NOW / 1000}.${asked?.body}`)}`)
    status = 500
    await expect(sms.send(message)).rejects.toMatchObject({ code: 'unavailable' })
    await expect(createWebhookSms({ url: 'http://127.0.0.1:9', secret }, world).send(message)).rejects.toMatchObject({
      code: 'unavailable',
    })
  })

  it('signs as Standard Webhooks do', () => {
    const content = 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    expect(signWebhook('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', content)).toBe(
      'g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    )
  })
})

describe('an e-mail', () => {
  const values = {
    ConfirmationURL: 'https://x.example.com/verify?token=a&type=signup',
    Token: '123456',
    TokenHash: 'abc',
    SiteURL: 'https://x.example.com',
    RedirectTo: '',
    Email: 'a@example.com',
    NewEmail: '',
    Data: { name: '<script>alert(1)</script>', n: 3, nested: {} },
  }

  it('is filled in, and nothing in it becomes markup or another header', () => {
    const mail = renderMail(
      {
        subject: 'Hi {{ .Data.name }}\r\nBcc: all@example.com',
        content: '{{ .Data.name }}{{.Data.n}}{{ .Data.nested }}{{ .Data.__proto__ }}{{ .constructor }}{{ .Token }}',
      },
      values,
    )
    expect(mail.subject).not.toMatch(/[\r\n]/)
    expect(mail.content).toBe('&lt;script&gt;alert(1)&lt;/script&gt;3123456')
  })

  it('arrives in both languages, as HTML and as text', async () => {
    const mailbox = await startMailbox()
    const mailer = createSmtpMailer({ url: `${mailbox.url}?ignoreTLS=true`, from: '"茶馆" <tea@example.com>' })
    closing.push(async () => {
      mailer.stop()
      await mailbox.close()
    })
    await mailer.send('a@example.com', renderMail(DEFAULT_TEMPLATES.confirmation, values))
    const text = textOf(await mailbox.latest('a@example.com'))
    expect(text).toContain('请打开下面的链接')
    expect(text).toContain('Follow this link')
    expect(text).toContain('https://x.example.com/verify?token=a&type=signup')
  })

  it('that cannot be sent says so', async () => {
    const mailer = createSmtpMailer({ url: 'smtp://127.0.0.1:9', from: 'tea@example.com' })
    closing.push(async () => mailer.stop())
    await expect(mailer.send('a@example.com', { subject: 's', content: 'c' })).rejects.toMatchObject({
      code: 'unavailable',
    })
    await expect(noMailer(silentLog).send('a@example.com', { subject: 's', content: 'c' })).resolves.toBeUndefined()
  })
})
