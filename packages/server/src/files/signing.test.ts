import { SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { createUrlSigner, signDownload, signUpload, verifyDownload, verifyUpload } from './signing.ts'

const SECRET = 'a secret for links, and for nothing else'
const at = { bucketId: 'b', name: 'c/茶.png' }

const clockAt = (start: number) => {
  const clock = { time: start, now: () => clock.time, after: () => () => {} }
  return clock
}

describe('signed URLs', () => {
  const clock = clockAt(1_700_000_000_000)
  const signer = createUrlSigner({ secret: SECRET, clock })

  it('open their object until they expire', async () => {
    const token = await signDownload(signer, at, 60)
    await verifyDownload(signer, token, at)
    clock.time += 61_000
    await expect(verifyDownload(signer, token, at)).rejects.toThrow('not valid or has expired')
  })

  it('open nothing else', async () => {
    const token = await signDownload(signer, at, 60)
    for (const other of [
      { bucketId: 'b', name: 'c/other.png' },
      { bucketId: 'b/c', name: '茶.png' },
      { bucketId: 'other', name: at.name },
    ]) {
      await expect(verifyDownload(signer, token, other)).rejects.toThrow('does not match')
    }
    await expect(verifyUpload(signer, token, at)).rejects.toThrow('does not match')
    const upload = await signUpload(signer, { ...at, mode: 'create', ownerId: null }, 60)
    await expect(verifyDownload(signer, upload, at)).rejects.toThrow('does not match')
  })

  it('carry what an upload may do', async () => {
    const token = await signUpload(signer, { ...at, mode: 'upsert', ownerId: 'me' }, 60)
    expect(await verifyUpload(signer, token, at)).toEqual({ mode: 'upsert', ownerId: 'me' })
  })

  it('are refused when any character changes', async () => {
    const token = await signDownload(signer, at, 60)
    for (let index = 0; index < token.length - 1; index += 7) {
      const changed = token.slice(0, index) + (token[index] === 'A' ? 'B' : 'A') + token.slice(index + 1)
      await expect(verifyDownload(signer, changed, at), `${index}`).rejects.toThrow('not valid')
    }
  })

  it('are refused when they are foreign, unsigned, endless or no token at all', async () => {
    const payload = { use: 'object.download', bucket: at.bucketId, name: at.name }
    const key = new TextEncoder().encode(SECRET)
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const foreign = await createUrlSigner({ secret: `${SECRET}!`, clock }).sign(payload, 60)
    const endless = await new SignJWT(payload).setProtectedHeader({ alg: 'HS256' }).sign(key)
    const otherAlgorithm = await new SignJWT({ ...payload, exp: 9e9 }).setProtectedHeader({ alg: 'HS512' }).sign(key)
    const unsigned = `${part({ alg: 'none' })}.${part({ ...payload, exp: 9e9 })}.`
    for (const token of [foreign, endless, otherAlgorithm, unsigned, '', 'x', '..', undefined, ['a', 'b']]) {
      await expect(verifyDownload(signer, token, at)).rejects.toThrow('not valid')
    }
  })
})
