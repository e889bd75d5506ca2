/** The pure parts of accounts: refresh tokens, durations, networks, passwords, addresses. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dialable, parseEmail, parsePhone } from './addresses.ts'
import { parseDuration } from './durations.ts'
import { createGuardedFetch } from './guarded-fetch.ts'
import { inet, isPublicAddress, networkKey } from './network.ts'
import { newCode, tokenHash } from './one-time.ts'
import { assertPasswordStrength, createPasswords, isPasswordHash } from './passwords.ts'
import { provesRefresh, readRefreshToken, refreshToken } from './refresh-token.ts'

const runs = { numRuns: process.env.TEAHOUSE_SOAK === '1' ? 5_000 : 200, seed: 7 }
const pepper = new TextEncoder().encode('pepper')

describe('a refresh token', () => {
  it('names its session and its place, for whoever has both keys', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.bigInt(0n, 2n ** 63n - 1n), fc.string({ minLength: 1 }), (id, counter, key) => {
        const claim = readRefreshToken(refreshToken(id, counter, key, pepper))
        expect(claim).toMatchObject({ sessionId: id, counter })
        if (claim === null) return
        expect(provesRefresh(claim, key, [pepper])).toBe(true)
        expect(provesRefresh(claim, `${key}x`, [pepper])).toBe(false)
        expect(provesRefresh(claim, key, [new Uint8Array([1])])).toBe(false)
        expect(provesRefresh(claim, key, [new Uint8Array([1]), pepper])).toBe(true)
        expect(provesRefresh({ ...claim, counter: counter + 1n }, key, [pepper])).toBe(false)
      }),
      runs,
    )
  })

  it('is nothing else', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), (text) => {
        const claim = readRefreshToken(text)
        if (claim !== null) expect(provesRefresh(claim, 'key', [pepper])).toBe(false)
      }),
      runs,
    )
  })
})

describe('a duration', () => {
  it('is read as Go writes it', () => {
    const known: readonly (readonly [string, number | null])[] = [
      ['24h', 86_400],
      ['1h30m', 5_400],
      ['1.5s', 1.5],
      ['300ms', 0.3],
      ['-5m', -300],
      ['0', 0],
      ['', null],
      ['5', null],
      ['1h x', null],
      ['h', null],
      ['1h'.repeat(100), null],
    ]
    for (const [text, seconds] of known) expect(parseDuration(text)).toBe(seconds)
  })
})

describe('a network', () => {
  it('is one IPv4 address or one /64', () => {
    expect(networkKey('203.0.113.7')).toBe('203.0.113.7')
    expect(networkKey('::ffff:203.0.113.7')).toBe('203.0.113.7')
    expect(networkKey('2001:db8:1:2:3:4:5:6')).toBe(networkKey('2001:db8:1:2::1'))
    expect(networkKey('2001:db8:1:3::1')).not.toBe(networkKey('2001:db8:1:2::1'))
    expect(networkKey('nonsense')).toBe('unknown')
    expect(inet('nonsense')).toBe('0.0.0.0')
  })

  it('is public only when it is everybody’s', () => {
    for (const ip of ['8.8.8.8', '2606:4700::1111']) expect(isPublicAddress(ip)).toBe(true)
    const inward = [
      '127.0.0.1',
      '10.1.1.1',
      '192.168.0.1',
      '172.16.0.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
      '::1',
      'fe80::1',
      'fc00::1',
      '::ffff:127.0.0.1',
      '224.0.0.1',
      '64:ff9b::7f00:1',
    ]
    for (const ip of inward) expect(isPublicAddress(ip)).toBe(false)
  })

  it('of the server’s own is not reached through somebody else’s document', async () => {
    const guarded = createGuardedFetch(['trusted.example.com'])
    for (const url of [
      'http://127.0.0.1:1/',
      'https://127.0.0.1:1/',
      'https://localhost:1/',
      'https://[::1]:1/',
      'https://169.254.169.254/',
      'http://example.com/',
      'https://0x7f000001/',
    ]) {
      await expect(guarded(url, {})).rejects.toThrow(/public internet|https/)
    }
  })
})

describe('a password', () => {
  it('is kept as argon2id and never as itself', async () => {
    const passwords = createPasswords()
    const hash = await passwords.hash('correct horse')
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(await passwords.verify(hash, 'correct horse')).toEqual({ matches: true, rehash: false })
    expect((await passwords.verify(hash, 'wrong horse')).matches).toBe(false)
    expect((await passwords.verify('garbage', 'garbage')).matches).toBe(false)
    expect((await passwords.verify(null, 'anything')).matches).toBe(false)
  })

  it('takes as long to refuse for an account that does not exist', async () => {
    const passwords = createPasswords()
    const hash = await passwords.hash('correct horse')
    await passwords.verify(null, 'warm up')
    const time = async (stored: string | null) => {
      const start = performance.now()
      for (let index = 0; index < 8; index += 1) await passwords.verify(stored, 'wrong horse')
      return performance.now() - start
    }
    const [known, unknown] = [await time(hash), await time(null)]
    expect(unknown / known).toBeGreaterThan(0.4)
    expect(unknown / known).toBeLessThan(2.5)
  })

  it('is judged by the operator’s rules', () => {
    const rules = { minimumPasswordLength: 8, passwordRequirements: 'lower_upper_letters_digits_symbols' } as const
    expect(() => assertPasswordStrength('Abcdef1!', rules)).not.toThrow()
    for (const [password, details] of [
      ['Ab1!', 'length'],
      ['abcdefgh', 'characters'],
      ['abc', 'length,characters'],
    ] as const) {
      expect(() => assertPasswordStrength(password, rules)).toThrow(
        expect.objectContaining({ reason: 'weak_password', details }),
      )
    }
  })

  it('hash is imported only when it can be verified', () => {
    expect(isPasswordHash('$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy')).toBe(true)
    expect(isPasswordHash('$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG')).toBe(true)
    for (const text of [
      '',
      'plain',
      '$2a$31$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy',
      '$1$md5',
      '$argon2id$x',
    ]) {
      expect(isPasswordHash(text)).toBe(false)
    }
  })
})

describe('an address', () => {
  it('is kept in one form', () => {
    expect(parseEmail(' Ada@Example.COM ')).toBe('ada@example.com')
    for (const text of [
      '',
      'a',
      'a@',
      '@b',
      'a b@c.d',
      'a@b..c',
      `${'a'.repeat(70)}@b.c`,
      'a@b\0.c',
      `${'a@'.repeat(200)}b`,
    ]) {
      expect(() => parseEmail(text)).toThrow()
    }
    expect(parsePhone('+86 138 0013 8000')).toBe('8613800138000')
    for (const text of ['', '0138', 'abc', '１３８００１３８０００', '1'.repeat(16)])
      expect(() => parsePhone(text)).toThrow()
    expect(dialable('13800138000')).toBe('+8613800138000')
    expect(dialable('8613800138000')).toBe('+8613800138000')
    expect(dialable('14155552671')).toBe('+8614155552671')
  })
})

describe('a code', () => {
  it('has the length that was asked for, and a hash of its own per address', () => {
    expect(newCode(8)).toMatch(/^\d{8}$/)
    expect(tokenHash('a@b.c', '123456')).toMatch(/^[0-9a-f]{56}$/)
    expect(tokenHash('a@b.c', '123456')).not.toBe(tokenHash('a@b.d', '123456'))
  })
})
