/** Resumable uploads as they should not be sent: slow, lying about their length, odd in every header. What was stored before stays, and nothing else. */
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type StorageFixture, startStorage } from '../../../../test/storage.ts'

const USER = '11111111-2222-3333-4444-555555555555'

let fixture: StorageFixture
beforeAll(async () => {
  fixture = await startStorage({ fileSizeLimit: 100_000, pace: { bytes: 500, milliseconds: 150 } })
  await fixture.db.sql(`
    insert into storage.buckets (id, name, public) values ('b', 'b', true);
    create policy "write" on storage.objects for insert to authenticated with check (bucket_id = 'b');`)
})
afterAll(() => fixture.close())

const base64 = (text: string) => Buffer.from(text).toString('base64')
const about = (name: string) => `bucketName ${base64('b')},objectName ${base64(name)}`
const headers = { authorization: `Bearer user:${USER}`, 'tus-resumable': '1.0.0' }
const send = (method: string, url: string, more: Record<string, string> = {}, body?: BodyInit) =>
  fetch(url, { method, headers: { ...headers, ...more }, ...(body === undefined ? {} : { body }) })

const begin = async (name: string, length: number): Promise<URL> => {
  const more = { 'upload-length': String(length), 'upload-metadata': about(name) }
  const answer = await send('POST', `${fixture.url}/storage/v1/upload/resumable`, more)
  expect(answer.status).toBe(201)
  return new URL(answer.headers.get('location') ?? '')
}
const offsetOf = async (place: URL) => (await send('HEAD', place.href)).headers.get('upload-offset')
const unfinished = async () => (await readdir(`${fixture.folder}/unfinished`).catch(() => [])).length

/** A request written by hand. */
const write = async (place: URL, lines: readonly string[], body: string): Promise<Socket> => {
  const socket = connect(Number(place.port), place.hostname)
  await once(socket, 'connect')
  const sent = ['Host: x', ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), ...lines]
  socket.write(`PATCH ${place.pathname} HTTP/1.1\r\n${sent.join('\r\n')}\r\n\r\n${body}`)
  return socket
}
const CHUNK = 'content-type: application/offset+octet-stream'

describe('a piece', () => {
  it('that trickles is cut off; what came of it counts, and the upload goes on', async () => {
    const place = await begin('slow', 1000)
    for (const [length, body, offset] of [
      ['content-length: 900', 'abc', 0],
      ['transfer-encoding: chunked', '3\r\ndef\r\n', 3],
      ['content-length: 900', '', 6],
    ] as const) {
      const slow = await write(place, [CHUNK, `upload-offset: ${offset}`, length], body)
      await once(slow.resume(), 'close')
      await expect.poll(() => offsetOf(place)).toBe(body === '' ? '6' : String(offset + 3))
      await expect.poll(unfinished).toBe(0)
    }
    const more = { 'content-type': 'application/offset+octet-stream', 'upload-offset': '6' }
    expect((await send('PATCH', place.href, more, 'x'.repeat(994))).status).toBe(204)
    const answer = await fetch(`${fixture.url}/storage/v1/object/public/b/slow`)
    expect(await answer.text()).toBe(`abcdef${'x'.repeat(994)}`)
  })

  it('that announces more than the upload has is refused before it is sent', async () => {
    const place = await begin('more', 10)
    const socket = await write(place, [CHUNK, 'upload-offset: 0', 'content-length: 90000'], 'x')
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 413/)
    socket.destroy()
    expect(await offsetOf(place)).toBe('0')
  })

  it('that sends more than the upload has, without saying so, is refused and leaves nothing', async () => {
    const place = await begin('silent', 10)
    const body = `b\r\n${'x'.repeat(11)}\r\n0\r\n\r\n`
    const socket = await write(place, [CHUNK, 'upload-offset: 0', 'transfer-encoding: chunked'], body)
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 413/)
    socket.destroy()
    expect(await offsetOf(place)).toBe('0')
    await expect.poll(unfinished).toBe(0)
  })

  it('that sends less than it announced counts for what came', async () => {
    const place = await begin('less', 10)
    const socket = await write(place, [CHUNK, 'upload-offset: 0', 'content-length: 10'], 'abc')
    await expect.poll(unfinished).toBe(1)
    socket.destroy()
    await expect.poll(() => offsetOf(place)).toBe('3')
  })

  it.each([
    ['no offset', { 'upload-offset': '' }, 400],
    ['an offset that is none', { 'upload-offset': 'x' }, 400],
    ['a negative offset', { 'upload-offset': '-1' }, 400],
    ['an offset beyond numbers', { 'upload-offset': '9'.repeat(40) }, 400],
    ['an offset in hex', { 'upload-offset': '0x0' }, 400],
    ['another type', { 'upload-offset': '0', 'content-type': 'application/octet-stream' }, 415],
    ['another length', { 'upload-offset': '0', 'upload-length': '11' }, 400],
    ['a length that is none', { 'upload-offset': '0', 'upload-length': 'ten' }, 400],
  ])('with %s is refused', async (_what, more, status) => {
    const place = await begin('odd', 10)
    const type = { 'content-type': 'application/offset+octet-stream' }
    expect((await send('PATCH', place.href, { ...type, ...more } as Record<string, string>, 'abc')).status).toBe(status)
    expect(await offsetOf(place)).toBe('0')
  })

  it('for an upload that is none is refused, whatever its id', async () => {
    const type = { 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' }
    for (const id of [USER, 'x', '%00', '..%2f..%2fetc%2fpasswd', "';--", 'x'.repeat(3000)]) {
      const answer = await send('PATCH', `${fixture.url}/storage/v1/upload/resumable/${id}`, type, 'abc')
      expect([id, answer.status]).toEqual([id, 404])
    }
  })
})

it('dozens of pieces of one byte are a file', async () => {
  const place = await begin('bytes', 40)
  const type = { 'content-type': 'application/offset+octet-stream' }
  for (let at = 0; at < 40; at += 1) {
    expect((await send('PATCH', place.href, { ...type, 'upload-offset': String(at) }, 'x')).status).toBe(204)
  }
  const answer = await fetch(`${fixture.url}/storage/v1/object/public/b/bytes`)
  expect(await answer.text()).toBe('x'.repeat(40))
})
