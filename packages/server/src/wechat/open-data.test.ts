/** Open data, by the platform's own examples and by what must not pass. */
import { createCipheriv, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { decryptOpenData, isSigned } from './open-data.ts'

const KEY = 'HyVFkGl5F5OQWJZZaNzBBg=='
const RAW =
  '{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong","country":"CN","avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjAtpujxyzYsrztuuICqIM5ibXQ/0"}'

describe('a signature', () => {
  it('is the one of the platform’s documentation', () => {
    expect(isSigned(RAW, '75e81ceda165f4ffa64f4068af58c64b8f54b88c', KEY)).toBe(true)
  })
  it('is of these data, under this key, and whole', () => {
    expect(isSigned(`${RAW} `, '75e81ceda165f4ffa64f4068af58c64b8f54b88c', KEY)).toBe(false)
    expect(isSigned(RAW, '75e81ceda165f4ffa64f4068af58c64b8f54b88c', 'AAAAAAAAAAAAAAAAAAAAAA==')).toBe(false)
    for (const text of ['', '75e8', 'zz', '75e81ceda165f4ffa64f4068af58c64b8f54b88c00'])
      expect(isSigned(RAW, text, KEY)).toBe(false)
  })
})

/** The example of the platform's decryption samples. */
const SAMPLE = {
  appid: 'wx4f4bc4dec97d474b',
  sessionKey: 'tiihtNczf5v6AKRyjwEUhQ==',
  iv: 'r7BXXKkLb8qrSNn05n0qiA==',
  encryptedData:
    'CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew==',
}
const THEN = 1_477_314_187_000

const encrypt = (data: object, key = KEY) => {
  const iv = randomBytes(16)
  const cipher = createCipheriv('aes-128-cbc', Buffer.from(key, 'base64'), iv)
  const encryptedData = Buffer.concat([cipher.update(JSON.stringify(data)), cipher.final()]).toString('base64')
  return { encryptedData, iv: iv.toString('base64') }
}

describe('encrypted data', () => {
  it('are those of the platform’s documentation', () => {
    const { appid, sessionKey } = SAMPLE
    expect(decryptOpenData(SAMPLE, { appid, sessionKey, now: THEN + 1000 })).toMatchObject({
      nickName: 'Band',
      watermark: { appid },
    })
  })

  it('are of this app, of now, and whole, and every failure looks the same', () => {
    const options = { appid: 'wx1', sessionKey: KEY, now: THEN }
    const watermark = { appid: 'wx1', timestamp: THEN / 1000 }
    expect(decryptOpenData(encrypt({ a: 1, watermark }), options)).toMatchObject({ a: 1 })
    const good = encrypt({ watermark })
    const failures = [
      encrypt({ watermark: { ...watermark, appid: 'wx2' } }),
      encrypt({ watermark: { ...watermark, timestamp: THEN / 1000 - 3601 } }),
      encrypt({ watermark: { ...watermark, timestamp: THEN / 1000 + 3600 } }),
      encrypt({ watermark: { appid: 'wx1' } }),
      encrypt({ a: 1 }),
      encrypt([1]),
      encrypt({ watermark }, 'AAAAAAAAAAAAAAAAAAAAAA=='),
      { ...good, iv: 'AAAA' },
      { ...good, encryptedData: good.encryptedData.slice(4) },
      { ...good, encryptedData: '' },
      { encryptedData: 'x'.repeat(100_000), iv: good.iv },
    ]
    for (const each of failures) expect(decryptOpenData(each, options)).toBeNull()
    expect(decryptOpenData(good, { ...options, sessionKey: 'short' })).toBeNull()
  })
})
