/** What wx-server-sdk packs for the open API is understood, and what it unpacks is what WeChat said. */
import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../../kernel/json.ts'
import type { OpenRequest, WechatClient } from '../../../wechat/client.ts'
import { WechatError } from '../../../wechat/errors.ts'
import type { WechatAnswer } from '../../../wechat/transport.ts'
import { readForm } from './form.ts'
import { callOpenApi } from './open-api.ts'
import { ProtobufError, readFields, writeFields } from './protobuf.ts'

interface Reply {
  readonly respData: Buffer
  readonly contentType: string
}

const pair = (key: string, value: Buffer, more: readonly { number: number; value: Buffer }[] = []) => ({
  number: 1,
  value: writeFields([{ number: 1, value: Buffer.from(key) }, { number: 2, value }, ...more]),
})

const message = (...pairs: readonly { number: number; value: Buffer }[]) =>
  writeFields([
    { number: 1, value: 1 },
    { number: 2, value: writeFields(pairs) },
  ])

const clientOf = (answer: (request: OpenRequest) => WechatAnswer): WechatClient =>
  // Only `ask` is used.
  ({ ask: async (request: OpenRequest) => answer(request) }) as unknown as WechatClient

const replyOf = (bytes: Buffer): Reply => {
  const fields = readFields(bytes)
  const text = (number: number) => fields.find((each) => each.number === number)?.value as Buffer
  return { respData: text(1), contentType: text(2).toString() }
}

describe('the open API', () => {
  it('takes pairs of names and JSON to the right address, and the answer back', async () => {
    const asked: OpenRequest[] = []
    const wechat = clientOf((request) => {
      asked.push(request)
      return { kind: 'json', json: { errcode: 0, msgid: 7 } }
    })
    const sent = message(pair('touser', Buffer.from('"o1"')), pair('data', Buffer.from('{"thing1":{"value":"茶"}}')))
    const reply = replyOf(await callOpenApi({ wechat, apiName: 'subscribeMessage.send', allowed: null }, sent))
    expect(asked).toEqual([
      { path: '/cgi-bin/message/subscribe/send', body: { touser: 'o1', data: { thing1: { value: '茶' } } } },
    ])
    expect(JSON.parse(reply.respData.toString()) as JsonObject).toEqual({ errcode: 0, msgid: 7 })
    expect(reply.contentType).toBe('application/json')
  })

  it('sends files as a form, and brings pictures back as they are', async () => {
    const picture = Buffer.from([0x89, 0x50, 0xff, 0x00, 0x80])
    const wechat = clientOf(({ files }) => ({ kind: 'bytes', bytes: files?.[0]?.bytes ?? new Uint8Array() }))
    const more = [{ number: 3, value: Buffer.from('image/png') }]
    const sent = message(pair('media', picture, more))
    const reply = replyOf(await callOpenApi({ wechat, apiName: 'security.imgSecCheck', allowed: null }, sent))
    expect(reply.respData).toEqual(picture)
    expect(reply.contentType).toBe('image/png')
  })

  it('answers with what WeChat refuses', async () => {
    const wechat = clientOf(() => {
      throw new WechatError(43101, 'user refuse to accept the msg')
    })
    const reply = replyOf(await callOpenApi({ wechat, apiName: 'subscribeMessage.send', allowed: null }, message()))
    expect(JSON.parse(reply.respData.toString())).toEqual({ errcode: 43101, errmsg: 'user refuse to accept the msg' })
  })

  it.each([
    ['what config.json does not permit', { apiName: 'wxacode.get', allowed: ['subscribeMessage.send'] }, 'permit'],
    ['what nobody knows', { apiName: 'constructor', allowed: null }, 'not known'],
  ])('refuses %s', async (_name, call, words) => {
    const wechat = clientOf(() => ({ kind: 'json', json: {} }))
    await expect(callOpenApi({ wechat, ...call }, message())).rejects.toThrow(words)
  })
})

describe('protobuf', () => {
  it('reads what it writes', () => {
    const field = fc.record({
      number: fc.integer({ min: 1, max: 500 }),
      value: fc.oneof(
        fc.nat({ max: 2 ** 40 }),
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      ),
    })
    fc.assert(
      fc.property(fc.array(field), (fields) => {
        expect(readFields(writeFields(fields))).toEqual(fields)
      }),
      { seed: 1, numRuns: 200 },
    )
  })

  it('takes any bytes for a message or refuses them', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        try {
          readFields(Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(ProtobufError)
        }
      }),
      { seed: 1, numRuns: 500 },
    )
  })
})

describe('a form', () => {
  it('keeps every byte of its message, and reads the rest as text', async () => {
    // A CommonJS package of the SDK's own.
    const FormData = createRequire(import.meta.url)('form-data') as new () => {
      append(name: string, value: unknown): void
      getBuffer(): Buffer
      getHeaders(): Record<string, string>
    }
    const form = new FormData()
    const all = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
    form.append('apiName', '茶.send')
    form.append('requestData', all)
    const read = await readForm(form.getBuffer(), form.getHeaders()['content-type'] ?? '')
    expect(read).toEqual({ apiName: '茶.send', requestData: all })
  })

  it('that is none is refused', async () => {
    await expect(readForm(Buffer.from('x'), 'multipart/form-data')).rejects.toThrow('not a form')
  })
})
