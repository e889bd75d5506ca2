/** Uploads that trickle in, and uploads that go on after they were refused: both hold a connection, and both end. */
import type { IncomingMessage } from 'node:http'
import { refusal } from '../../../files/errors.ts'
import type { Clock } from '../../../kernel/clock.ts'

/** Slower than this is nobody's phone network. */
const PACE = { bytes: 2048, milliseconds: 30_000 }
const PATIENCE = 10_000

/** Cuts the connection when too few bytes arrive in a window. Call the answer once the upload is over. */
export const keepPace = (request: IncomingMessage, clock: Clock, pace = PACE): (() => void) => {
  let seen = request.socket.bytesRead
  let cancel = () => {}
  const watch = (): void => {
    cancel = clock.after(pace.milliseconds, () => {
      const now = request.socket.bytesRead
      // A body that has arrived whole may take its time on the way to the disk.
      if (request.complete) return
      if (now - seen < pace.bytes) {
        request.destroy(refusal('too_slow', 'The upload was too slow'))
        return
      }
      seen = now
      watch()
    })
  }
  watch()
  return () => cancel()
}

/** Throws away the rest of a refused upload, so that the client gets to read the answer; after a while the connection is cut. */
export const letGo = (request: IncomingMessage, clock: Clock): void => {
  if (request.complete) return
  request.unpipe()
  request.resume()
  const cancel = clock.after(PATIENCE, () => {
    if (!request.complete) request.destroy()
  })
  request.once('close', cancel)
}
