/** Which requests this machine made to itself. */
import { describe, expect, it } from 'vitest'
import { isLocalRequest } from './local-request.ts'

const from = (remoteAddress: string | undefined, headers: Readonly<Record<string, string>>) =>
  isLocalRequest({ headers, socket: { remoteAddress } })

describe('a local request', () => {
  it('comes from a loopback address under a loopback name', () => {
    for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])
      for (const host of ['localhost', 'LOCALHOST:8000', '127.0.0.1:8000', '[::1]:8000'])
        expect(from(address, { host })).toBe(true)
  })

  it('comes from nowhere else', () => {
    for (const address of [undefined, '', '10.0.0.1', '192.168.1.2', '::ffff:10.0.0.1', 'fe80::1'])
      expect(from(address, { host: '127.0.0.1' })).toBe(false)
  })

  it('has no other name: that name may lead here from any page', () => {
    for (const host of ['', 'tea.example', 'localhost.evil.example', '127.0.0.1.nip.io', '10.0.0.1:8000'])
      expect(from('127.0.0.1', { host })).toBe(false)
  })

  it('came through no proxy', () => {
    for (const name of ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via'])
      expect(from('127.0.0.1', { host: 'localhost', [name]: '127.0.0.1' })).toBe(false)
  })

  it('was made by no page of somebody else’s', () => {
    const local = { host: '127.0.0.1:8000' }
    for (const origin of ['http://localhost:3000', 'http://127.0.0.1:5173', 'http://[::1]:8000', 'https://localhost'])
      expect(from('127.0.0.1', { ...local, origin, 'sec-fetch-site': 'cross-site' })).toBe(true)
    for (const origin of ['https://evil.example', 'null', '', 'https://localhost.evil.example', 'http://192.168.1.9'])
      expect(from('127.0.0.1', { ...local, origin })).toBe(false)
    expect(from('127.0.0.1', { ...local, 'sec-fetch-site': 'cross-site' })).toBe(false)
    for (const site of ['same-origin', 'same-site', 'none'])
      expect(from('127.0.0.1', { ...local, 'sec-fetch-site': site })).toBe(true)
  })
})
