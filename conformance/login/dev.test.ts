/** What --dev opens, and to whom: the sandbox and the demo keys are for this machine, and for nothing that speaks through it. */
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import { runTeahouse, startServer, type TestServer } from '../support/server.ts'

const DEMO_ANON =
  'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6ImFub24iLCJleHAiOjE5ODM4MTI5OTZ9.CRXP1A7WOeoJeXxjNni43kdQwgnWNReilDMblYTn_I0'
const DEMO_SERVICE =
  'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6InNlcnZpY2Vfcm9sZSIsImV4cCI6MTk4MzgxMjk5Nn0.EGIM96RAZx35lJzdJsyH-qQwv8Hdp7fsn3W0YpN81IU'

/** fetch sets Host itself; this sends what it is told. */
const status = (url: string, headers: Readonly<Record<string, string>>): Promise<number> =>
  new Promise((resolve, reject) => {
    request(url, { headers }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
      .on('error', reject)
      .end()
  })

const bucketsWith = (server: TestServer, key: string, headers: Readonly<Record<string, string>> = {}) =>
  status(`${server.report.url}/storage/v1/bucket`, { apikey: key, authorization: `Bearer ${key}`, ...headers })

/** `open`, or the status of the refusal. */
const socketWith = (
  server: TestServer,
  key: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<unknown> =>
  new Promise((resolve) => {
    const url = `${server.report.url.replace('http', 'ws')}/realtime/v1/websocket?vsn=1.0.0&apikey=${key}`
    const socket = new WebSocket(url, { headers })
    socket.on('open', () => {
      resolve('open')
      socket.close()
    })
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode))
    socket.on('error', (error) => resolve(error.message))
  })

describe('start --dev', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer({ args: ['--dev'] })
  })
  afterAll(() => server?.stop())

  it('reports the sandbox and the mini-program', async () => {
    expect(server.report).toMatchObject({
      wechatSandboxUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      appId: 'wx7ea0000000000001',
    })
    expect(await status(`${server.report.wechatSandboxUrl}/sandbox`, {})).toBe(200)
  })

  it('takes the demo keys from this machine, over HTTP and in a socket', async () => {
    for (const key of [DEMO_ANON, DEMO_SERVICE, server.report.anonKey]) {
      expect(await bucketsWith(server, key)).toBe(200)
      expect(await socketWith(server, key)).toBe('open')
    }
  })

  it.each([
    { host: 'tea.example' },
    { host: '10.0.0.1:8000' },
    { 'x-forwarded-for': '127.0.0.1' },
    { forwarded: 'for=127.0.0.1' },
    { 'x-real-ip': '127.0.0.1' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
  ])('takes none from others: %o', async (headers) => {
    expect(await bucketsWith(server, DEMO_SERVICE, headers)).toBeGreaterThanOrEqual(400)
    expect(await bucketsWith(server, server.report.serviceKey, headers)).toBe(200)
    expect(await socketWith(server, DEMO_ANON, headers)).not.toBe('open')
    expect(await status(`${server.report.wechatSandboxUrl}/sandbox`, headers)).toBe(403)
  })
})

describe('start', () => {
  it('knows neither sandbox nor demo keys', async () => {
    const server = await startServer()
    try {
      expect(server.report).toMatchObject({ wechatSandboxUrl: null, appId: null })
      expect(await bucketsWith(server, DEMO_ANON)).toBeGreaterThanOrEqual(400)
      expect(await socketWith(server, DEMO_ANON)).not.toBe('open')
    } finally {
      await server.stop()
    }
  })

  it('refuses a sandbox elsewhere, and the demo secret', async () => {
    const run = (args: readonly string[]) => runTeahouse(['start', '--port', '0', ...args])
    const wechat = ['--wechat-appid', 'wx1', '--wechat-secret', 's', '--wechat-api-base', 'http://127.0.0.1:4400']
    expect(await run(wechat)).toMatchObject({ code: 1, stderr: expect.stringContaining('should begin with https') })
    const secret = ['--jwt-secret', 'super-secret-jwt-token-with-at-least-32-characters-long']
    expect(await run(secret)).toMatchObject({ code: 1, stderr: expect.stringContaining('public examples') })
  })
})

describe('start --dev for others', () => {
  it('ends with one clear line', async () => {
    for (const host of ['0.0.0.0', '::', '192.168.1.4']) {
      const { code, stderr } = await runTeahouse(['start', '--dev', '--port', '0', '--host', host])
      expect(code).toBe(1)
      expect(stderr.trim().split('\n')).toEqual([
        `teahouse: --dev is for this machine only, not for ${host}. For other devices of a trusted network: --dev --lan`,
      ])
    }
  })

  it('serves a trusted network with --lan: loudly, with the sandbox and without the demo keys', async () => {
    const server = await startServer({ args: ['--dev', '--lan', '--host', '0.0.0.0'] })
    try {
      expect(server.logs()).toContain('everyone in this network can log in as anybody')
      expect(await status(`${server.report.wechatSandboxUrl}/sandbox`, { host: 'laptop.local' })).toBe(200)
      expect(await bucketsWith(server, DEMO_SERVICE)).toBeGreaterThanOrEqual(400)
      expect(await bucketsWith(server, server.report.serviceKey, { host: 'laptop.local' })).toBe(200)
    } finally {
      await server.stop()
    }
  })
})
