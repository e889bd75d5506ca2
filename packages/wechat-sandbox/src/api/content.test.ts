/** Content checks: texts, pictures, and media whose judgement is pushed. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { APPID, MINUTE, SECRET, serve } from '../../test/support.ts'
import { until } from '../../test/until.ts'
import { decryptPush, signPush } from '../crypto/push-crypt.ts'
import type { JsonObject } from '../kernel/json.ts'

const setup = async (options: Parameters<typeof serve>[0] = {}) => {
  const served = await serve(options)
  const { openid } = await served.login('wxcode:alice:1')
  const access_token = await served.token()
  const check = (changes: object) =>
    served.post('/wxa/msg_sec_check', { version: 2, scene: 2, openid, content: 'hello', ...changes }, { access_token })
  const media = (media_url: string, changes: object = {}) =>
    served.post(
      '/wxa/media_check_async',
      { media_url, media_type: 2, version: 2, scene: 1, openid, ...changes },
      { access_token },
    )
  return { ...served, openid: String(openid), access_token, check, media }
}

describe('msg_sec_check', () => {
  it('passes ordinary text', async () => {
    const { check } = await setup()
    expect(await check({})).toEqual({
      errcode: 0,
      errmsg: 'ok',
      trace_id: expect.any(String),
      result: { suggest: 'pass', label: 100 },
      detail: [{ strategy: 'content_model', errcode: 0, suggest: 'pass', label: 100, prob: 10 }],
    })
  })

  it.each([
    ['magic-risky-porn', 'risky', 20002],
    ['MAGIC-review-ads', 'review', 10001],
    ['magic-review-ads and magic-risky-fraud', 'risky', 20008],
  ])('finds the magic word in "%s": %s %i, and errcode stays 0', async (content, suggest, label) => {
    const { check } = await setup()
    expect(await check({ content })).toMatchObject({ errcode: 0, result: { suggest, label } })
  })

  it('judges nickname, title and signature too, and words of the test', async () => {
    const { check, control } = await setup()
    control.word({ word: '假茶叶', suggest: 'risky', label: 20008 })
    for (const member of ['nickname', 'title', 'signature'])
      expect(await check({ [member]: '卖假茶叶' })).toMatchObject({ result: { suggest: 'risky', label: 20008 } })
  })

  it.each([
    [{ content: '' }, 44004],
    [{ content: '茶'.repeat(2501) }, 45002],
    [{ scene: 5 }, 40129],
    [{ openid: 'unknown' }, 40003],
    [{ openid: undefined }, 40003],
  ])('refuses %o with %i', async (changes, errcode) => {
    const { check } = await setup()
    expect(await check(changes)).toMatchObject({ errcode })
  })

  it('wants a person of this app who was there lately', async () => {
    const apps = [
      { appid: APPID, secret: SECRET },
      { appid: 'wx2', secret: 's2' },
    ]
    const { check, login, clock } = await setup({ apps, limits: { visitLife: 60 * MINUTE } })
    const { openid } = await login('wxcode:alice:9', { appid: 'wx2', secret: 's2' })
    expect(await check({ openid })).toMatchObject({ errcode: 43104 })
    clock.advance(60 * MINUTE - 1)
    expect(await check({})).toMatchObject({ errcode: 0 })
    clock.advance(1)
    expect(await check({})).toMatchObject({ errcode: 61010 })
  })

  it('answers version 1 by error code', async () => {
    const { check } = await setup()
    const one = { version: undefined, scene: undefined, openid: undefined }
    expect(await check({ ...one })).toEqual({ errcode: 0, errmsg: 'ok' })
    expect(await check({ ...one, content: 'magic-risky-abuse' })).toMatchObject({ errcode: 87014 })
    expect(await check({ ...one, content: 'magic-review-abuse' })).toMatchObject({ errcode: 0 })
  })

  it('answers GET with 43302 and has limits', async () => {
    const { check, get, access_token } = await setup({ limits: { textChecksPerMinute: 1 } })
    expect(await get('/wxa/msg_sec_check', { access_token })).toMatchObject({ errcode: 43302 })
    await check({})
    expect(await check({})).toMatchObject({ errcode: 45011 })
  })
})

describe('img_sec_check', () => {
  const send = async (url: string, bytes: Buffer, name = 'media') => {
    const form = new FormData()
    form.append(name, new Blob([new Uint8Array(bytes)]), 'a.png')
    const response = await fetch(url, { method: 'POST', body: form })
    return (await response.json()) as JsonObject
  }

  it('judges bytes, and refuses what is too large or missing', async () => {
    const { sandbox, access_token } = await setup()
    const url = `${sandbox.url}/wxa/img_sec_check?access_token=${access_token}`
    expect(await send(url, Buffer.from('a picture'))).toEqual({ errcode: 0, errmsg: 'ok' })
    expect(await send(url, Buffer.from('..magic-risky-porn..'))).toMatchObject({ errcode: 87014 })
    expect(await send(url, Buffer.alloc(1024 * 1024 + 1))).toMatchObject({ errcode: 40006 })
    expect(await send(url, Buffer.from('x'), 'other')).toMatchObject({ errcode: 41005 })
  })
})

/** A server of the app: serves media and receives events. */
const appServer = async (answer: (attempt: number) => string) => {
  const received: { readonly url: URL; readonly body: string }[] = []
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://app')
    if (url.pathname === '/media') return void response.end(url.searchParams.get('says') ?? '')
    if (request.method === 'GET') return void response.end(url.searchParams.get('echostr'))
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString('utf8')
    })
    request.on('end', () => {
      received.push({ url, body })
      response.end(answer(received.length))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received }
}

const KEY = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG'
const push = (url: string, mode: 'plain' | 'safe' | 'compatible') =>
  ({ url: `${url}/events`, token: 'T', encodingAesKey: KEY, mode, format: 'json' }) as const

describe('media_check_async', () => {
  it('pushes the judgement, signed and encrypted', async () => {
    const { media, control, clock } = await setup()
    const app = await appServer(() => 'success')
    await control.changeApp(APPID, { push: push(app.url, 'safe') })
    const answer = await media(`${app.url}/media?says=magic-risky-politics`)
    expect(answer).toEqual({ errcode: 0, errmsg: 'ok', trace_id: expect.any(String) })
    clock.advance(1000)
    await until('the push was delivered', () => control.pushes()[0]?.state === 'delivered')
    const [{ url, body }] = app.received as [(typeof app.received)[0]]
    const param = (name: string) => url.searchParams.get(name) ?? ''
    const { Encrypt } = JSON.parse(body)
    expect(param('msg_signature')).toBe(signPush('T', param('timestamp'), param('nonce'), Encrypt))
    expect(param('signature')).toBe(signPush('T', param('timestamp'), param('nonce')))
    const { message, appid } = decryptPush(Encrypt, KEY)
    expect(appid).toBe(APPID)
    expect(JSON.parse(message)).toMatchObject({
      MsgType: 'event',
      Event: 'wxa_media_check',
      appid: APPID,
      trace_id: answer.trace_id,
      version: 2,
      errcode: 0,
      result: { suggest: 'risky', label: 20001 },
    })
  })

  it('pushes -1008 for media that cannot be had', async () => {
    const { media, control, clock } = await setup({ limits: { mediaSize: 10 } })
    const app = await appServer(() => 'success')
    await control.changeApp(APPID, { push: push(app.url, 'plain') })
    await media(`${app.url}/media?says=more+than+ten+bytes`)
    clock.advance(1000)
    await until('the push was delivered', () => control.pushes()[0]?.state === 'delivered')
    expect(JSON.parse(app.received[0]?.body ?? '')).toMatchObject({ errcode: -1008 })
  })

  it('tries three times more when the receiver does not say success', async () => {
    const { media, control, clock } = await setup()
    const app = await appServer((attempt) => (attempt <= 2 ? 'not yet' : 'success'))
    await control.changeApp(APPID, { push: push(app.url, 'compatible') })
    await media(`${app.url}/media?says=fine`)
    await until('delivered at the third attempt', () => {
      clock.advance(1000)
      return control.pushes()[0]?.state === 'delivered'
    })
    expect(app.received).toHaveLength(3)
    const { Encrypt, ...clear } = JSON.parse(app.received[0]?.body ?? '')
    expect(JSON.parse(decryptPush(Encrypt, KEY).message)).toEqual(clear)
  })

  it('gives up after that', async () => {
    const { media, control, clock } = await setup()
    const app = await appServer(() => 'no')
    await control.changeApp(APPID, { push: push(app.url, 'plain') })
    await media(`${app.url}/media`)
    await until('the push failed', () => {
      clock.advance(1000)
      return control.pushes()[0]?.state === 'failed'
    })
    expect(app.received).toHaveLength(4)
  })

  it('takes no push address that does not echo, and no bad requests', async () => {
    const { media, control } = await setup()
    await expect(control.changeApp(APPID, { push: push('http://127.0.0.1:1', 'plain') })).rejects.toThrow('no answer')
    expect(await media('ftp://x')).toMatchObject({ errcode: 47001 })
    expect(await media('http://127.0.0.1:1/', { media_type: 3 })).toMatchObject({ errcode: 47001 })
    expect(await media('http://127.0.0.1:1/', { openid: 'x' })).toMatchObject({ errcode: 40003 })
  })
})
