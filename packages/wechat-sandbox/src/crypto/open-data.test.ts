/** Open data against the vectors that WeChat publishes, and round trips. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decryptOpenData, encryptOpenData, signRawData, signSession } from './open-data.ts'

const BAND =
  '{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}'
const ENCRYPTED =
  'CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew=='
const IV = 'r7BXXKkLb8qrSNn05n0qiA=='
const SESSION_KEY = 'tiihtNczf5v6AKRyjwEUhQ=='

// Bytes read as UTF-8: every kind of character, without the seconds that building fast-check's own Unicode tables takes.
const anyText = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('utf8'))

describe('open data', () => {
  it('is signed as in the published example', () => {
    expect(signRawData(BAND, 'HyVFkGl5F5OQWJZZaNzBBg==')).toBe('75e81ceda165f4ffa64f4068af58c64b8f54b88c')
  })

  it('is encrypted as in the published example', () => {
    const plain = decryptOpenData(ENCRYPTED, SESSION_KEY, IV)
    expect(JSON.parse(plain).watermark).toEqual({ timestamp: 1477314187, appid: 'wx4f4bc4dec97d474b' })
    expect(encryptOpenData(plain, SESSION_KEY, Buffer.from(IV, 'base64'))).toBe(ENCRYPTED)
  })

  it('comes back from encryption, whatever the text', () => {
    const run = fc.property(anyText, (text) => {
      const key = randomBytes(16).toString('base64')
      const iv = randomBytes(16)
      expect(decryptOpenData(encryptOpenData(text, key, iv), key, iv.toString('base64'))).toBe(text)
    })
    fc.assert(run, { seed: 1, numRuns: process.env.TEAHOUSE_SOAK === '1' ? 2000 : 50 })
  })

  it('signs a session with the key alone', () => {
    // The published HMAC-SHA256 of the empty message under the empty key.
    expect(signSession('')).toBe('b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad')
    expect(signSession(SESSION_KEY)).not.toBe(signSession(''))
  })
})
