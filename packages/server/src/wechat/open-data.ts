/** What a mini-program receives about its user and hands on: checked against the signature, or decrypted, with the session key. */
import { createDecipheriv, createHash, timingSafeEqual } from 'node:crypto'
import { isObject, type JsonObject, parseJson } from '../kernel/json.ts'

/** Whether `rawData` was signed with the session key. */
export const isSigned = (rawData: string, signature: string, sessionKey: string): boolean => {
  const expected = createHash('sha1')
    .update(rawData + sessionKey)
    .digest()
  const given = Buffer.from(signature, 'hex')
  return given.length === expected.length && timingSafeEqual(given, expected)
}

export interface Encrypted {
  readonly encryptedData: string
  readonly iv: string
}

export interface DecryptOptions {
  readonly sessionKey: string
  readonly appid: string
  /** Milliseconds since 1970. */
  readonly now: number
  /** How old the data may be, seconds. */
  readonly maxAge?: number
}

const DEFAULT_MAX_AGE = 3600
const SKEW = 300
const LARGEST = 64 * 1024

/**
 * The plain data, or null. Every reason for a failure gives the same answer: whoever could tell a wrong padding from a wrong app could
 * read what is not theirs, byte by byte.
 */
export const decryptOpenData = ({ encryptedData, iv }: Encrypted, options: DecryptOptions): JsonObject | null => {
  if (encryptedData.length > LARGEST) return null
  const plain = decrypt(encryptedData, iv, options.sessionKey)
  const data = plain === null ? undefined : parseJson(plain)
  if (!isObject(data) || !isObject(data.watermark)) return null
  const { appid, timestamp } = data.watermark
  if (appid !== options.appid || typeof timestamp !== 'number') return null
  const age = options.now / 1000 - timestamp
  return age > (options.maxAge ?? DEFAULT_MAX_AGE) || age < -SKEW ? null : data
}

const decrypt = (encryptedData: string, iv: string, sessionKey: string): string | null => {
  try {
    const decipher = createDecipheriv('aes-128-cbc', Buffer.from(sessionKey, 'base64'), Buffer.from(iv, 'base64'))
    return Buffer.concat([decipher.update(Buffer.from(encryptedData, 'base64')), decipher.final()]).toString('utf8')
  } catch {
    return null
  }
}
