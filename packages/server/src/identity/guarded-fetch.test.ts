/** Fetching from addresses that other people's documents name: no redirect is followed, and no name that leads inward. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { createGuardedFetch } from './guarded-fetch.ts'

/** A server that counts its visitors. */
const listen = async (
  answer: (path: string) => { status: number; headers?: Record<string, string>; body?: string },
) => {
  const visits: string[] = []
  const server: Server = createServer((request, response) => {
    visits.push(request.url ?? '')
    const { status, headers = {}, body = '' } = answer(request.url ?? '')
    response.writeHead(status, headers).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
  const { port } = server.address() as AddressInfo
  return { host: `127.0.0.1:${port}`, port, visits }
}

it('does not follow a redirect, wherever it leads: the answer is the redirect', async () => {
  const inside = await listen(() => ({ status: 200, body: 'secret' }))
  const outside = await listen(() => ({ status: 302, headers: { location: `http://${inside.host}/latest/meta-data` } }))
  const answer = await createGuardedFetch([outside.host])(`http://${outside.host}/`, {})
  expect(answer.status).toBe(302)
  expect(await answer.text()).not.toContain('secret')
  expect(inside.visits).toEqual([])
})

it('trusts the very host and port that were written down, and not another port of it', async () => {
  const written = await listen(() => ({ status: 200, body: 'fine' }))
  const other = await listen(() => ({ status: 200, body: 'secret' }))
  const guarded = createGuardedFetch([written.host])
  expect(await (await guarded(`http://${written.host}/`, {})).text()).toBe('fine')
  for (const url of [`http://${other.host}/`, `https://${other.host}/`, `http://localhost:${written.port}/`])
    await expect(guarded(url, {})).rejects.toThrow(/https|public internet/)
  expect(other.visits).toEqual([])
})

it('knows this machine under all its spellings', async () => {
  const guarded = createGuardedFetch([])
  for (const host of [
    '127.1',
    '0',
    '0177.0.0.1',
    '2130706433',
    '0x7f.1',
    '127.0.0.1.',
    '[::ffff:127.0.0.1]',
    '[::]',
    '[fd00::1]',
    '[64:ff9b::a9fe:a9fe]',
    'localhost.',
    '①②⑦.0.0.1',
  ])
    await expect(guarded(`https://${host}:1/`, {}), host).rejects.toThrow(/public internet|ENOTFOUND/)
})

it('reads no more than a megabyte', async () => {
  const endless = await listen(() => ({ status: 200, body: 'x'.repeat(3 * 1024 * 1024) }))
  await expect(createGuardedFetch([endless.host])(`http://${endless.host}/`, {})).rejects.toThrow(/too much/)
})
