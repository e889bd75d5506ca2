/** Every form of a database URL that operators paste. */
import { describe, expect, it } from 'vitest'
import { connectionOf, placeOf } from './connection-url.ts'

describe('a database URL', () => {
  it('is taken apart, decoded', () => {
    expect(connectionOf('postgresql://us%40er:p%2Fass%3A@db.example:6543/my%20app')).toEqual({
      host: 'db.example',
      port: 6543,
      user: 'us@er',
      password: 'p/ass:',
      database: 'my app',
    })
  })

  it('has the usual port, and leaves user and password to pg when it names none', () => {
    expect(connectionOf('postgres://localhost/app')).toEqual({ host: 'localhost', port: 5432, database: 'app' })
  })

  it('may point at an IPv6 address or at the folder of a Unix socket', () => {
    expect(connectionOf('postgres://u@[::1]:5433/app')).toMatchObject({ host: '::1', port: 5433 })
    for (const place of ['u@localhost', '']) {
      expect(connectionOf(`postgres://${place}/app?host=/var/run/postgresql&port=5434`)).toMatchObject({
        host: '/var/run/postgresql',
        port: 5434,
      })
    }
  })

  it('encrypts when told to, and verifies when told to', () => {
    const tls = (mode: string) => connectionOf(`postgres://u@h/app?sslmode=${mode}`).ssl
    for (const mode of ['disable', 'allow', 'prefer']) expect(tls(mode)).toBe(undefined)
    expect(tls('require')).toEqual({ rejectUnauthorized: false })
    for (const mode of ['verify-ca', 'verify-full']) expect(tls(mode)).toEqual({ rejectUnauthorized: true })
  })

  it('must name a database', () => {
    expect(() => connectionOf('postgres://u:hunter2@h')).toThrow(/names no database/)
    expect(() => connectionOf('postgres://u:hunter2@h/')).not.toThrow(/hunter2/)
  })

  it('is shown to people without its password', () => {
    expect(placeOf('postgres://u:hunter2@h/app')).toBe('app on h:5432')
  })
})
