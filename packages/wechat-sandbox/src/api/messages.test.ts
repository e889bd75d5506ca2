/** Subscribe messages and mini-program codes. */

import { inflateSync } from 'node:zlib'
import jsqr from 'jsqr'
import { describe, expect, it } from 'vitest'
import { APPID, MINUTE, SECRET, serve } from '../../test/support.ts'
import type { JsonObject } from '../kernel/json.ts'

const setup = async (options: Parameters<typeof serve>[0] = {}) => {
  const served = await serve(options)
  const { openid } = await served.login('wxcode:alice:1')
  const access_token = await served.token()
  const message = { touser: openid, template_id: 'T1', page: 'pages/a/a?x=1', data: { thing1: { value: '新茶到店' } } }
  const send = (changes: object = {}) =>
    served.post('/cgi-bin/message/subscribe/send', { ...message, ...changes }, { access_token })
  const allow = (answer: 'accept' | 'reject' | 'ban' = 'accept') =>
    served.control.permit({ appid: APPID, user: 'alice', template: 'T1', answer })
  return { ...served, access_token, send, allow }
}

describe('subscribe/send', () => {
  it('delivers one message for each acceptance', async () => {
    const { send, allow, control } = await setup()
    expect(await send()).toMatchObject({ errcode: 43101 })
    allow()
    expect(await send()).toEqual({ errcode: 0, errmsg: 'ok', msgid: expect.any(Number) })
    expect(await send()).toMatchObject({ errcode: 43101 })
    expect(control.messages()).toMatchObject([
      { user: 'alice', template_id: 'T1', data: { thing1: { value: '新茶到店' } }, miniprogram_state: 'formal' },
    ])
  })

  it('does not count a refusal, and knows a ban', async () => {
    const { send, allow } = await setup()
    allow('reject')
    expect(await send()).toMatchObject({ errcode: 43101 })
    allow()
    allow('ban')
    expect(await send()).toMatchObject({ errcode: 43107 })
  })

  it.each([
    [{ touser: 'nobody' }, 40003, /invalid openid/],
    [{ template_id: 'T9' }, 40037, /template/],
    [{ data: { thing1: { value: '字'.repeat(21) } } }, 47003, /data\.thing1\.value invalid/],
    [{ data: { number2: { value: 'many' } } }, 47003, /data\.number2\.value invalid/],
    [{ data: { thing1: 'bare' } }, 47003, /data\.thing1\.value invalid/],
    [{ data: { unknown1: { value: 'x' } } }, 47003, /data\.unknown1\.value invalid/],
    [{ page: '/pages/a/a' }, 41030, /page/],
    [{ page: 'pages/b/b' }, 41030, /page/],
    [{ miniprogram_state: 'x' }, 47003, /miniprogram_state/],
  ])('refuses %o with %i and keeps the permission', async (changes, errcode, words) => {
    const apps = [{ appid: APPID, secret: SECRET, templates: ['T1'], pages: ['pages/a/a'] }]
    const { send, allow } = await setup({ apps })
    allow()
    expect(await send(changes)).toMatchObject({ errcode, errmsg: expect.stringMatching(words) })
    expect(await send()).toMatchObject({ errcode: 0 })
  })
})

/** The pixels of a PNG with one bit a pixel, as a scanner wants them. */
const pixels = (png: Buffer): { data: Uint8ClampedArray; width: number } => {
  const width = png.readUInt32BE(16)
  const start = png.indexOf('IDAT') + 4
  const rows = inflateSync(png.subarray(start, start + png.readUInt32BE(start - 8)))
  const bytesPerRow = Math.ceil(width / 8) + 1
  const data = new Uint8ClampedArray(width * width * 4).fill(255)
  for (let y = 0; y < width; y++)
    for (let x = 0; x < width; x++)
      if (((rows[y * bytesPerRow + 1 + (x >> 3)] ?? 0) >> (7 - (x & 7))) & 1)
        data.fill(0, (y * width + x) * 4, (y * width + x) * 4 + 3)
  return { data, width }
}

describe('getwxacodeunlimit', () => {
  const draw = async (served: Awaited<ReturnType<typeof setup>>, body: object) => {
    const url = `${served.sandbox.url}/wxa/getwxacodeunlimit?access_token=${served.access_token}`
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(body) })
    return { type: response.headers.get('content-type'), bytes: Buffer.from(await response.arrayBuffer()) }
  }

  it('draws a code that a scanner reads', async () => {
    const served = await setup()
    const { type, bytes } = await draw(served, { scene: 'room=7', page: 'pages/room/room', width: 600 })
    expect(type).toBe('image/png')
    const { data, width } = pixels(bytes)
    expect(width).toBe(600)
    expect(jsqr.default(data, width, width)?.data).toBe(
      `wxacode:${APPID}?page=pages%2Froom%2Froom&scene=room%3D7&env_version=release`,
    )
  })

  it('takes colour, transparency and a width within its bounds', async () => {
    const served = await setup()
    const { bytes } = await draw(served, {
      scene: 'a',
      width: 9999,
      line_color: { r: 7, g: '193', b: 96 },
      is_hyaline: true,
    })
    expect(bytes.readUInt32BE(16)).toBe(1280)
    const palette = bytes.indexOf('PLTE') + 4
    expect([...bytes.subarray(palette, palette + 6)]).toEqual([255, 255, 255, 7, 193, 96])
    expect(bytes.includes('tRNS')).toBe(true)
  })

  it.each([
    [{ scene: '' }, 40169],
    [{ scene: 'x'.repeat(33) }, 40169],
    [{ scene: 'a%b' }, 40169],
    [{ page: '/pages/a/a' }, 41030],
    [{ page: 'pages/a/a?x=1' }, 41030],
    [{ page: 'pages/unpublished' }, 41030],
    [{ env_version: 'beta' }, 40097],
  ])('refuses %o with %i as JSON', async (changes, errcode) => {
    const served = await setup({ apps: [{ appid: APPID, secret: SECRET, pages: ['pages/a/a'] }] })
    const { type, bytes } = await draw(served, { scene: 'a', page: 'pages/a/a', ...changes })
    expect(type).toMatch(/^application\/json/)
    expect(JSON.parse(bytes.toString()) as JsonObject).toMatchObject({ errcode })
  })

  it('draws unpublished pages when told not to check, and as many a minute as the limit says', async () => {
    const apps = [{ appid: APPID, secret: SECRET, pages: ['pages/a/a'] }]
    const served = await setup({ apps, limits: { codePicturesPerMinute: 1 } })
    const body = { scene: 'a', page: 'pages/b/b', check_path: false }
    expect((await draw(served, body)).type).toBe('image/png')
    expect(JSON.parse((await draw(served, body)).bytes.toString())).toMatchObject({ errcode: 45009 })
    served.clock.advance(MINUTE)
    expect((await draw(served, body)).type).toBe('image/png')
  })
})
