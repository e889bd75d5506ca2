/** A WebSocket client reduced to what a load generator needs: one shared read buffer, frames counted and not copied. */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'

const READ_BUFFER = Buffer.allocUnsafe(256 * 1024)
const NONE = Buffer.alloc(0)

const PING = 9
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0])

/** A masked text frame, as clients must send it. The mask may be zero. */
export const clientFrame = (text) => {
  const payload = Buffer.from(text)
  const { length } = payload
  const head = length < 126 ? Buffer.from([0x81, 0x80 | length]) : Buffer.from([0x81, 0xfe, length >> 8, length & 0xff])
  return Buffer.concat([head, Buffer.alloc(4), payload])
}

/** Where the payload of the frame at `at` begins and ends; null while its head is incomplete. */
const frameAt = (buffer, at, end) => {
  if (end - at < 2) return null
  const short = buffer[at + 1] & 0x7f
  const headLength = short < 126 ? 2 : short === 126 ? 4 : 10
  if (end - at < headLength) return null
  const length =
    short < 126 ? short : short === 126 ? buffer.readUInt16BE(at + 2) : Number(buffer.readBigUInt64BE(at + 2))
  return { start: at + headLength, end: at + headLength + length }
}

export class RawSocket {
  /** Called with (buffer, start, end) of every data frame; the buffer is only good during the call. */
  onFrame = () => {}
  closed = false
  #rest = NONE
  #socket
  #ready

  constructor(url, path) {
    const { hostname, port } = new URL(url)
    let opened
    this.#ready = new Promise((resolve, reject) => {
      opened = resolve
      this.fail = reject
    })
    let head = ''
    this.#socket = connect({
      host: hostname,
      port: Number(port),
      onread: {
        buffer: READ_BUFFER,
        callback: (size) => {
          if (head === null) this.#take(READ_BUFFER, size)
          else {
            head += READ_BUFFER.toString('latin1', 0, size)
            const end = head.indexOf('\r\n\r\n')
            if (end < 0) return true
            if (!head.startsWith('HTTP/1.1 101')) this.fail(new Error(head.split('\r\n')[0]))
            const more = Buffer.from(head.slice(end + 4), 'latin1')
            head = null
            opened()
            if (more.length > 0) this.#take(more, more.length)
          }
          return true
        },
      },
    })
    this.#socket.on('error', (error) => this.fail(error))
    this.#socket.on('close', () => {
      this.closed = true
    })
    const key = randomBytes(16).toString('base64')
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    )
  }

  get ready() {
    return this.#ready
  }

  send(frame) {
    this.#socket.write(frame)
  }

  close() {
    this.#socket.destroy()
  }

  #take(bytes, size) {
    const joined = this.#rest.length > 0
    const buffer = joined ? Buffer.concat([this.#rest, bytes.subarray(0, size)]) : bytes
    const end = joined ? buffer.length : size
    let at = 0
    for (;;) {
      const frame = frameAt(buffer, at, end)
      if (frame === null || frame.end > end) break
      const kind = buffer[at] & 0x0f
      if (kind < 3) this.onFrame(buffer, frame.start, frame.end)
      else if (kind === PING) this.#socket.write(PONG)
      at = frame.end
    }
    this.#rest = at < end ? Buffer.from(buffer.subarray(at, end)) : NONE
  }
}
