/** Open data as WeChat hands it to a mini-program: `rawData` with its signature, and the same encrypted under the session key. */
import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto'

/** `sha1(rawData + session_key)`, with the session key as its base64 text. */
export const signRawData = (rawData: string, sessionKey: string): string =>
  createHash('sha1')
    .update(rawData + sessionKey)
    .digest('hex')

/** The signature that checksession wants: `hmac_sha256(session_key, "")`. */
export const signSession = (sessionKey: string): string => createHmac('sha256', sessionKey).update('').digest('hex')

/** AES-128-CBC with PKCS#7; the key is the session key's 16 bytes. */
export const encryptOpenData = (plain: string, sessionKey: string, iv: Buffer): string => {
  const cipher = createCipheriv('aes-128-cbc', Buffer.from(sessionKey, 'base64'), iv)
  return Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]).toString('base64')
}

/** The other direction, as an app's server does it; for tests. Throws on a wrong key. */
export const decryptOpenData = (encryptedData: string, sessionKey: string, iv: string): string => {
  const key = Buffer.from(sessionKey, 'base64')
  const decipher = createDecipheriv('aes-128-cbc', key, Buffer.from(iv, 'base64'))
  return Buffer.concat([decipher.update(encryptedData, 'base64'), decipher.final()]).toString('utf8')
}
