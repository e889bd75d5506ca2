/** Who is admitted. */
import { request } from 'node:http'
import { networkInterfaces } from 'node:os'
import { describe, expect, it } from 'vitest'
import { serve } from '../../test/support.ts'
import { startSandbox } from '../sandbox.ts'
import { isLoopback, isLoopbackHost } from './exposure.ts'

/** fetch sets Host itself; this sends what it is told. */
const ask = (url: string, headers: Readonly<Record<string, string>>): Promise<number> =>
  new Promise((resolve, reject) => {
    request(url, { headers }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
      .on('error', reject)
      .end()
  })

const ownAddress = (): string | undefined =>
  Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address

describe('exposure', () => {
  it('knows loopback addresses and hosts', () => {
    expect(['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1'].map(isLoopback)).toEqual([true, true, true, true])
    expect(['10.0.0.1', '::ffff:10.0.0.1', '', 'fe80::1'].map(isLoopback)).toEqual([false, false, false, false])
    expect(['localhost', 'LOCALHOST:80', '127.0.0.1:4000', '[::1]:4000', '::1'].map(isLoopbackHost)).toEqual([
      true,
      true,
      true,
      true,
      false,
    ])
    expect(['', 'localhost.evil.example', '127.0.0.1.nip.io', '10.0.0.1'].map(isLoopbackHost)).toEqual([
      false,
      false,
      false,
      false,
    ])
  })

  it.each(['/sandbox', '/sns/jscode2session', '/connect/qrconnect'])(
    'refuses %s under another Host or behind a proxy',
    async (path) => {
      const { sandbox } = await serve()
      const url = `${sandbox.url}${path}`
      expect(await ask(url, {})).not.toBe(403)
      expect(await ask(url, { host: 'rebound.example' })).toBe(403)
      for (const name of ['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Real-IP', 'Via'])
        expect(await ask(url, { [name]: '127.0.0.1' })).toBe(403)
    },
  )

  it('is not controlled by pages of other sites', async () => {
    const { sandbox } = await serve()
    const url = `${sandbox.url}/sandbox`
    expect(await ask(url, { origin: 'https://evil.example' })).toBe(403)
    expect(await ask(url, { origin: 'null' })).toBe(403)
    expect(await ask(url, { 'sec-fetch-site': 'cross-site' })).toBe(403)
    expect(await ask(url, { origin: sandbox.url })).toBe(200)
  })

  it('listens beyond this machine only when told to serve the network', async () => {
    await expect(startSandbox({ apps: [], host: '0.0.0.0' })).rejects.toThrow('(lan)')
    const { sandbox } = await serve({ host: '0.0.0.0', lan: true })
    const address = ownAddress()
    const port = new URL(sandbox.url).port
    // A machine without a network has only its loopback address to be reached at.
    expect(await ask(`http://${address ?? '127.0.0.1'}:${port}/sandbox`, {})).toBe(200)
    expect(await ask(`${sandbox.url}/sandbox`, { host: 'my-laptop.local' })).toBe(200)
  })
})
