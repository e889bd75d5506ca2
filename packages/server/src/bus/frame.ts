/** What travels between nodes, as bytes. Pure. */

/** Characters of a node's name, all ASCII. */
export const NODE_LENGTH = 12

export type Frame =
  /** A part of a message. Sequence numbers are dense for each sender. */
  | {
      readonly kind: 'data'
      readonly node: string
      readonly seq: number
      readonly part: number
      readonly parts: number
      readonly body: Buffer
    }
  /** Sign of life: the newest sequence number, and the oldest that can be sent again. `hello` asks the others for theirs. */
  | {
      readonly kind: 'beat'
      readonly node: string
      readonly seq: number
      readonly floor: number
      readonly hello: boolean
    }
  /** Asks `target` for what was missed. */
  | {
      readonly kind: 'want'
      readonly node: string
      readonly target: string
      readonly from: number
      readonly to: number
    }
  | { readonly kind: 'bye'; readonly node: string }

const VERSION = 1
const KINDS = { data: 1, beat: 2, want: 3, bye: 4 } as const
const HEAD = 2 + NODE_LENGTH
const NUMBER = 6

/** Bytes of a data frame besides its body. */
export const DATA_OVERHEAD = HEAD + NUMBER + 4

export const encodeFrame = (frame: Frame): Buffer => {
  switch (frame.kind) {
    case 'data': {
      const bytes = head(frame, DATA_OVERHEAD + frame.body.length)
      bytes.writeUIntBE(frame.seq, HEAD, NUMBER)
      bytes.writeUInt16BE(frame.part, HEAD + NUMBER)
      bytes.writeUInt16BE(frame.parts, HEAD + NUMBER + 2)
      frame.body.copy(bytes, DATA_OVERHEAD)
      return bytes
    }
    case 'beat': {
      const bytes = head(frame, HEAD + 2 * NUMBER + 1)
      bytes.writeUIntBE(frame.seq, HEAD, NUMBER)
      bytes.writeUIntBE(frame.floor, HEAD + NUMBER, NUMBER)
      bytes[HEAD + 2 * NUMBER] = frame.hello ? 1 : 0
      return bytes
    }
    case 'want': {
      const bytes = head(frame, HEAD + NODE_LENGTH + 2 * NUMBER)
      bytes.write(frame.target, HEAD, 'latin1')
      bytes.writeUIntBE(frame.from, HEAD + NODE_LENGTH, NUMBER)
      bytes.writeUIntBE(frame.to, HEAD + NODE_LENGTH + NUMBER, NUMBER)
      return bytes
    }
    case 'bye':
      return head(frame, HEAD)
  }
}

const head = ({ kind, node }: Frame, length: number): Buffer => {
  const bytes = Buffer.alloc(length)
  bytes[0] = VERSION
  bytes[1] = KINDS[kind]
  bytes.write(node, 2, 'latin1')
  return bytes
}

/** Null for bytes that are no frame of this version: whoever else uses the same name at the broker is not our business. */
export const decodeFrame = (bytes: Buffer): Frame | null => {
  if (bytes.length < HEAD || bytes[0] !== VERSION) return null
  const node = bytes.toString('latin1', 2, HEAD)
  try {
    return decodeBody(bytes, node)
  } catch {
    return null
  }
}

const decodeBody = (bytes: Buffer, node: string): Frame | null => {
  switch (bytes[1]) {
    case KINDS.data:
      return {
        kind: 'data',
        node,
        seq: bytes.readUIntBE(HEAD, NUMBER),
        part: bytes.readUInt16BE(HEAD + NUMBER),
        parts: bytes.readUInt16BE(HEAD + NUMBER + 2),
        body: bytes.subarray(DATA_OVERHEAD),
      }
    case KINDS.beat:
      return {
        kind: 'beat',
        node,
        seq: bytes.readUIntBE(HEAD, NUMBER),
        floor: bytes.readUIntBE(HEAD + NUMBER, NUMBER),
        hello: bytes.readUInt8(HEAD + 2 * NUMBER) === 1,
      }
    case KINDS.want:
      return {
        kind: 'want',
        node,
        target: bytes.toString('latin1', HEAD, HEAD + NODE_LENGTH),
        from: bytes.readUIntBE(HEAD + NODE_LENGTH, NUMBER),
        to: bytes.readUIntBE(HEAD + NODE_LENGTH + NUMBER, NUMBER),
      }
    case KINDS.bye:
      return { kind: 'bye', node }
    default:
      return null
  }
}

/** A message before it is cut into frames. */
export interface Envelope {
  readonly channel: string
  readonly subject: string
  readonly payload: Uint8Array
}

export const encodeEnvelope = ({ channel, subject, payload }: Envelope): Buffer => {
  const names = [Buffer.from(channel), Buffer.from(subject)].flatMap((name) => {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(name.length)
    return [length, name]
  })
  return Buffer.concat([...names, payload])
}

export const decodeEnvelope = (bytes: Buffer): Envelope => {
  const afterChannel = 2 + bytes.readUInt16BE(0)
  const afterSubject = afterChannel + 2 + bytes.readUInt16BE(afterChannel)
  return {
    channel: bytes.toString('utf8', 2, afterChannel),
    subject: bytes.toString('utf8', afterChannel + 2, afterSubject),
    payload: bytes.subarray(afterSubject),
  }
}
