/** wx.request, uploadFile and downloadFile against a scripted network. */
import { describe, expect, test, vi } from 'vitest'
import { outcome, wxFunction } from '../testing/call-wx.ts'
import { fakeHost } from '../testing/fake-host.ts'
import { until } from '../testing/until.ts'
import { createCore } from './create.ts'
import type { SettingsInput } from './settings.ts'

const url = 'https://api.example.com/items'

function start(settings: SettingsInput = {}) {
  const host = fakeHost()
  const core = createCore(host, settings)
  return { host, ...core }
}

const headersOf = (list: readonly (readonly [string, string])[]) =>
  Object.fromEntries(list.map(([name, value]) => [name.toLowerCase(), value]))

describe('what goes out', () => {
  test('GET data becomes the query, before the fragment', () => {
    const { host, wx } = start()
    wxFunction(wx, 'request')({ url: `${url}?a=1#part`, data: { b: '茶', c: { d: 1 } } })
    expect(host.exchanges[0]?.call).toMatchObject({
      url: `${url}?a=1&b=%E8%8C%B6&c=%7B%22d%22%3A1%7D#part`,
      method: 'GET',
      body: null,
    })
  })

  test('a Referer nobody can change, and JSON unless said otherwise', () => {
    const { host, wx } = start({ appId: 'wx1', version: '0' })
    wxFunction(wx, 'request')({ url, method: 'post', data: { a: 1 }, header: { Referer: 'x', Host: 'y' } })
    const call = host.exchanges[0]?.call
    expect(headersOf(call?.headers ?? [])).toMatchObject({
      referer: 'https://servicewechat.com/wx1/0/page-frame.html',
      'content-type': 'application/json',
    })
    expect(headersOf(call?.headers ?? [])).not.toHaveProperty('host')
    expect(Buffer.from(call?.body ?? []).toString()).toBe('{"a":1}')
  })

  test('forms are encoded, text and buffers go as they are', () => {
    const { host, wx } = start()
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
    wxFunction(wx, 'request')({ url, method: 'POST', header: form, data: { a: '1 2', b: 'ü' } })
    wxFunction(wx, 'request')({ url, method: 'PUT', data: 'plain' })
    wxFunction(wx, 'request')({ url, method: 'DELETE', data: Uint8Array.of(1, 2).buffer })
    const bodies = host.exchanges.map(({ call }) => Buffer.from(call.body ?? []).toString('latin1'))
    expect(bodies).toEqual(['a=1%202&b=%C3%BC', 'plain', '\x01\x02'])
  })

  test('PATCH passes with one warning, or is refused', async () => {
    const { host, wx } = start()
    wxFunction(wx, 'request')({ url, method: 'PATCH' })
    wxFunction(wx, 'request')({ url, method: 'PATCH' })
    expect(host.exchanges).toHaveLength(2)
    expect(host.logs.filter(({ level }) => level === 'warn')).toHaveLength(1)
    const strict = start({ patchMethod: 'refuse' })
    expect(await outcome(strict.wx, 'request', { url, method: 'PATCH' })).toMatchObject({
      errMsg: 'request:fail method is invalid',
    })
    expect(strict.host.exchanges).toHaveLength(0)
  })
})

describe('what comes back', () => {
  test('any status is success, JSON is parsed whatever its type, header case is the platform’s', async () => {
    const { host, wx } = start({ headerCase: 'canonical' })
    const result = outcome(wx, 'request', { url })
    host.exchanges[0]?.answer(404, '\ufeff{"a":1}', [
      ['content-type', 'text/plain'],
      ['set-cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
    ])
    expect(await result).toEqual({
      errMsg: 'request:ok',
      statusCode: 404,
      data: { a: 1 },
      header: { 'Content-Type': 'text/plain', 'Set-Cookie': 'a=1,b=2' },
      cookies: ['a=1', 'b=2'],
    })
  })

  test('what does not parse stays text; dataType and responseType choose', async () => {
    const { host, wx } = start()
    const results = [
      outcome(wx, 'request', { url }),
      outcome(wx, 'request', { url, dataType: 'text' }),
      outcome(wx, 'request', { url, responseType: 'arraybuffer' }),
    ]
    host.exchanges[0]?.answer(200, '{broken')
    host.exchanges[1]?.answer(200, '{"a":1}')
    host.exchanges[2]?.answer(200, '{}')
    const [broken, text, buffer] = await Promise.all(results)
    expect(broken?.['data']).toBe('{broken')
    expect(text?.['data']).toBe('{"a":1}')
    expect(Buffer.from(buffer?.['data'] as ArrayBuffer).toString()).toBe('{}')
  })

  test('chunks arrive as they come', async () => {
    const { host, wx } = start()
    const task = wxFunction(wx, 'request')({ url, enableChunked: true }) as {
      onChunkReceived(run: (chunk: { data: ArrayBuffer }) => void): void
    }
    const chunks: string[] = []
    task.onChunkReceived(({ data }) => chunks.push(Buffer.from(data).toString()))
    const { events } = host.exchanges[0] ?? {}
    events?.head(200, [])
    events?.data(Buffer.from('a'))
    await until(() => chunks.length === 1, 'the first chunk')
    events?.data(Buffer.from('b'))
    await until(() => chunks.length === 2, 'the second chunk')
    expect(chunks).toEqual(['a', 'b'])
  })
})

describe('failures', () => {
  test('in the platform’s words', async () => {
    const { host, wx, phone } = start()
    expect(await outcome(wx, 'request', {})).toMatchObject({
      errMsg: 'request:fail parameter error: parameter.url should be String instead of Undefined;',
    })
    expect(await outcome(wx, 'request', { url: '/relative' })).toEqual({
      errMsg: 'request:fail invalid url "/relative"',
      errno: 600009,
    })
    phone.failNext('request', { reason: 'timeout', errno: 5 })
    expect(await outcome(wx, 'request', { url })).toEqual({ errMsg: 'request:fail timeout', errno: 5 })
    const refused = outcome(wx, 'request', { url })
    host.exchanges[0]?.events.error('net::ERR_CONNECTION_REFUSED')
    expect(await refused).toEqual({ errMsg: 'request:fail net::ERR_CONNECTION_REFUSED', errno: 600001 })
  })

  test('abort and timeout end the exchange', async () => {
    const { host, wx, phone } = start()
    phone.clock.set(0)
    const fail = vi.fn()
    const task = wxFunction(wx, 'request')({ url, fail }) as { abort(): void }
    task.abort()
    wxFunction(wx, 'request')({ url, timeout: 1000, fail })
    await phone.clock.advance(999)
    expect(fail).toHaveBeenCalledTimes(1)
    await phone.clock.advance(1)
    await until(() => fail.mock.calls.length === 2, 'the timeout')
    expect(fail.mock.calls.flat()).toEqual([
      { errMsg: 'request:fail abort' },
      { errMsg: 'request:fail timeout', errno: 5 },
    ])
    expect(host.exchanges.map(({ aborted }) => aborted)).toEqual([true, true])
  })

  test('the domain check knows schemes, ports and addresses', async () => {
    const { host, wx } = start({
      checkDomains: true,
      domains: { request: ['https://api.example.com', 'https://p.example.com:8443'] },
    })
    const refused = [
      'http://api.example.com/',
      'https://api.example.com:443/',
      'https://sub.api.example.com/',
      'https://p.example.com/',
      'https://127.0.0.1/',
    ]
    for (const one of refused)
      expect(await outcome(wx, 'request', { url: one }), one).toEqual({
        errMsg: 'request:fail url not in domain list',
        errno: 600002,
      })
    wxFunction(wx, 'request')({ url })
    wxFunction(wx, 'request')({ url: 'https://p.example.com:8443/x' })
    expect(host.exchanges).toHaveLength(2)
  })
})

describe('limits', () => {
  test('the eleventh request waits for a place', async () => {
    const { host, wx } = start()
    const results = Array.from({ length: 12 }, () => outcome(wx, 'request', { url }))
    expect(host.exchanges).toHaveLength(10)
    host.exchanges[0]?.answer(200, '1')
    await results[0]
    expect(host.exchanges).toHaveLength(11)
  })

  test('or fails, where the platform does', async () => {
    const { wx } = start({ requestOverflow: 'fail', limits: { concurrentRequests: 1 } })
    wxFunction(wx, 'request')({ url })
    expect(await outcome(wx, 'request', { url })).toEqual({ errMsg: 'request:fail exceed max request concurrency' })
  })

  test('a task is returned, never a promise', () => {
    const { wx } = start()
    for (const name of ['request', 'downloadFile']) expect(wxFunction(wx, name)({ url })).not.toHaveProperty('then')
  })
})

describe('files over the network', () => {
  test('an upload is multipart with text fields first; its answer is not parsed', async () => {
    const { host, wx, files } = start()
    const filePath = files.addTemporary(Buffer.from([0x89, 0x50, 0x4e, 0x47]), 'png')
    const progress = vi.fn()
    let done: unknown
    const task = wxFunction(
      wx,
      'uploadFile',
    )({
      url,
      filePath,
      name: 'file',
      formData: { note: '茶' },
      header: { 'content-type': 'text/plain' },
      success: (result: unknown) => {
        done = result
      },
    }) as { onProgressUpdate(run: unknown): void }
    task.onProgressUpdate(progress)
    const { call, events } = host.exchanges[0] ?? {}
    const type = headersOf(call?.headers ?? [])['content-type'] ?? ''
    const boundary = type.replace('multipart/form-data; boundary=', '')
    expect(
      Buffer.from(call?.body ?? [])
        .toString('latin1')
        .split(`--${boundary}`),
    ).toEqual([
      '',
      `\r\nContent-Disposition: form-data; name="note"\r\n\r\n${Buffer.from('茶').toString('latin1')}\r\n`,
      `\r\nContent-Disposition: form-data; name="file"; filename="${filePath.split('/').pop()}"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n`,
      '--\r\n',
    ])
    events?.sent(1, 2)
    host.exchanges[0]?.answer(200, '{"a":1}')
    await until(() => done, 'the upload')
    expect(done).toMatchObject({ errMsg: 'uploadFile:ok', data: '{"a":1}', statusCode: 200 })
    expect(progress).toHaveBeenCalledWith({ progress: 50, totalBytesSent: 1, totalBytesExpectedToSend: 2 })
  })

  test('a download is a temporary file, also of a 404', async () => {
    const { host, wx, files } = start()
    const result = outcome(wx, 'downloadFile', { url: `${url}/a.txt?x=1` })
    host.exchanges[0]?.answer(404, 'nothing')
    const { tempFilePath, statusCode } = await result
    expect(statusCode).toBe(404)
    expect(tempFilePath).toMatch(/^http:\/\/tmp\/.*\.txt$/)
    expect(Buffer.from(files.read(String(tempFilePath))).toString()).toBe('nothing')
  })

  test('a file that is not there', async () => {
    const { wx } = start()
    const result = await outcome(wx, 'uploadFile', { url, filePath: 'http://tmp/none', name: 'f' })
    expect(result).toEqual({ errMsg: 'uploadFile:fail file not found' })
  })
})
