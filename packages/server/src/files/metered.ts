/** An upload's bytes on their way into a store: never more than the limit, however much the client sends or claims. */
import type { Readable } from 'node:stream'
import { tooLarge } from './errors.ts'

/** Passes `source` through and throws once it exceeds `limit` bytes. Does not destroy the source: the answer still has to go out on its socket. */
export async function* metered(source: Readable, limit: number): AsyncIterable<Uint8Array> {
  let size = 0
  for await (const chunk of source.iterator({ destroyOnReturn: false })) {
    size += chunk.length
    if (size > limit) throw tooLarge()
    yield chunk
  }
}
