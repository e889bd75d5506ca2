/** Ready-made WebSocket frames: a message is encoded once and the same bytes go to every receiver. Pure. */

/** The bytes of one whole unmasked, uncompressed server frame. */
export type Frame = Buffer

const FIN_TEXT = 0x81
const FIN_BINARY = 0x82

/** A text message as one frame. */
export const textFrame = (text: string): Frame => {
  const length = Buffer.byteLength(text)
  const frame = withHeader(FIN_TEXT, length)
  frame.write(text, frame.length - length, length, 'utf8')
  return frame
}

/** A binary message as one frame. */
export const binaryFrame = (bytes: Uint8Array): Frame => {
  const frame = withHeader(FIN_BINARY, bytes.length)
  frame.set(bytes, frame.length - bytes.length)
  return frame
}

/** A buffer for header and payload, with the header written. */
const withHeader = (first: number, length: number): Buffer => {
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(header + length)
  frame[0] = first
  if (header === 2) frame[1] = length
  else if (header === 4) {
    frame[1] = 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(length), 2)
  }
  return frame
}
