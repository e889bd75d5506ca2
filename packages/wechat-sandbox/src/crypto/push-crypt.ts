/** The envelope of pushed events: signatures over sorted parts, and AES-256-CBC with the platform's own framing. */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto'

/** `sha1` over the sorted parts: token, timestamp, nonce, and in safe mode the encrypted text. */
export const signPush = (...parts: readonly string[]): string =>
  createHash('sha1')
    .update([...parts].sort().join(''))
    .digest('hex')

const BLOCK = 32

const keyOf = (encodingAesKey: string): Buffer => Buffer.from(`${encodingAesKey}=`, 'base64')

/** 16 random bytes, the length of the message (4 bytes, big endian), the message, the appid; padded to 32-byte blocks. */
export const encryptPush = (
  message: string,
  appid: string,
  { aesKey, salt }: { aesKey: string; salt: Buffer },
): string => {
  const key = keyOf(aesKey)
  const body = Buffer.from(message, 'utf8')
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  const framed = Buffer.concat([salt, length, body, Buffer.from(appid, 'utf8')])
  const missing = BLOCK - (framed.length % BLOCK)
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false)
  return Buffer.concat([cipher.update(framed), cipher.update(Buffer.alloc(missing, missing)), cipher.final()]).toString(
    'base64',
  )
}

/** What an app's server does with the envelope; for tests. */
export const decryptPush = (
  encrypted: string,
  aesKey: string,
): { readonly message: string; readonly appid: string } => {
  const key = keyOf(aesKey)
  const decipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false)
  const padded = Buffer.concat([decipher.update(encrypted, 'base64'), decipher.final()])
  const framed = padded.subarray(0, padded.length - (padded.at(-1) ?? 0))
  const end = 20 + framed.readUInt32BE(16)
  return { message: framed.toString('utf8', 20, end), appid: framed.toString('utf8', end) }
}
