/** Where WeChat is, from what the operator gave. */
import { describe, expect, it } from 'vitest'
import { type Flags, readConfig } from './config.ts'
import { WECHAT_API, type WechatGiven, wechatOf } from './wechat.ts'

const given = (changes: Partial<WechatGiven>): WechatGiven => ({
  dev: false,
  appid: '',
  secret: '',
  apiBase: '',
  ...changes,
})

describe('wechat settings', () => {
  it('are none by default, and the sandbox in development', () => {
    expect(wechatOf(given({}))).toEqual({ kind: 'none' })
    expect(wechatOf(given({ dev: true }))).toEqual({ kind: 'sandbox', appid: 'wx7ea0000000000001' })
    expect(wechatOf(given({ dev: true, appid: 'wx1' }))).toEqual({ kind: 'sandbox', appid: 'wx1' })
  })

  it('lead to WeChat itself with appid and secret, also in development', () => {
    const app = { appid: 'wx1', secret: 's' }
    for (const dev of [true, false])
      expect(wechatOf(given({ ...app, dev }))).toEqual({ kind: 'api', ...app, apiBase: WECHAT_API })
  })

  it('lead to a sandbox that runs elsewhere only in development', () => {
    const app = { appid: 'wx1', secret: 's', apiBase: 'http://127.0.0.1:4400/' }
    expect(wechatOf(given({ ...app, dev: true }))).toMatchObject({ apiBase: 'http://127.0.0.1:4400' })
    expect(() => wechatOf(given(app))).toThrow('--wechat-api-base should begin with https')
    expect(wechatOf(given({ ...app, apiBase: 'https://proxy.example/wx' }))).toMatchObject({ kind: 'api' })
  })

  it('are refused when half of them is missing or no address', () => {
    expect(() => wechatOf(given({ appid: 'wx1' }))).toThrow('needs both')
    expect(() => wechatOf(given({ secret: 's' }))).toThrow('needs both')
    expect(() => wechatOf(given({ dev: true, apiBase: 'http://x' }))).toThrow('needs both')
    expect(() => wechatOf(given({ appid: 'a b', secret: 's' }))).toThrow('AppID')
    expect(() => wechatOf(given({ appid: 'wx1', secret: 's', apiBase: 'ftp://x' }))).toThrow('should be an address')
  })
})

describe('development', () => {
  const read = (flags: Flags) => readConfig({ flags, env: {}, file: {}, cwd: '/' })

  it('is for this machine alone, and refused with one clear line anywhere else', () => {
    for (const host of ['127.0.0.1', 'localhost', '::1']) expect(read({ dev: true, host }).wechat.kind).toBe('sandbox')
    for (const host of ['0.0.0.0', '::', '192.168.1.4', 'tea.example'])
      expect(() => read({ dev: true, host })).toThrow(/^--dev is for this machine only, not for .*--dev --lan$/)
  })

  it('is for the network when the operator says so', () => {
    expect(read({ dev: true, lan: true, host: '0.0.0.0' })).toMatchObject({ dev: true, lan: true })
    expect(() => read({ lan: true })).toThrow('--lan goes with --dev')
  })
})
