/** The push envelope: its framing, its padding, its signatures. */
import { createDecipheriv, createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decryptPush, encryptPush, signPush } from './push-crypt.ts'

const aesKey = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG'
const salt = Buffer.from('0123456789abcdef')

// Bytes read as UTF-8: every kind of character, without the seconds that building fast-check's own Unicode tables takes.
const anyText = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('utf8'))

describe('push envelope', () => {
  it('signs the parts in sorted order', () => {
    expect(signPush('token', '1800000000', 'nonce')).toBe(
      createHash('sha1').update('1800000000noncetoken').digest('hex'),
    )
  })

  it('is 16 random bytes, a length, the message and the appid, padded to 32 bytes', () => {
    const key = Buffer.from(`${aesKey}=`, 'base64')
    const decipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false)
    const padded = Buffer.concat([
      decipher.update(encryptPush('你好', 'wx1', { aesKey, salt }), 'base64'),
      decipher.final(),
    ])
    expect(padded.length % 32).toBe(0)
    expect(padded.subarray(0, 16)).toEqual(salt)
    expect(padded.readUInt32BE(16)).toBe(6)
    expect(padded.toString('utf8', 20, 29)).toBe('你好wx1')
    expect(padded.at(-1)).toBe(padded.length - 29)
  })

  it('comes back from encryption, whatever the message', () => {
    const run = fc.property(anyText, (message) => {
      expect(decryptPush(encryptPush(message, 'wx1', { aesKey, salt }), aesKey)).toEqual({ message, appid: 'wx1' })
    })
    fc.assert(run, { seed: 1, numRuns: process.env.TEAHOUSE_SOAK === '1' ? 2000 : 50 })
  })
})
