/** An S3-compatible server on a free port with an empty bucket `blobs`, for tests of what keeps files in one. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** As much of s3rver as is used here; it has no types of its own. */
interface S3rver {
  run(): Promise<{ readonly port: number }>
  close(): Promise<void>
}

type S3rverClass = new (options: object) => S3rver

export const startS3 = async (): Promise<{ readonly port: number; close(): Promise<void> }> => {
  const directory = await mkdtemp(join(tmpdir(), 'teahouse-s3-'))
  // A CommonJS module without types; the interface above is what its manual says.
  const Server = createRequire(import.meta.url)('s3rver') as S3rverClass
  const server = new Server({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory,
    configureBuckets: [{ name: 'blobs' }],
  })
  const { port } = await server.run()
  const close = async () => {
    await server.close()
    await rm(directory, { recursive: true, force: true })
  }
  return { port, close }
}
