/** Phoenix channel messages as bytes: protocol 1.0.0 (JSON objects), 2.0.0 (JSON arrays and binary broadcast frames). Pure. */
import { isObject, type Json, type JsonObject, parseJson } from '../../../kernel/json.ts'
import type { MessageBody } from '../../../live/broadcast.ts'
import { binaryFrame, type Frame, textFrame } from '../../../sockets/frame.ts'

export type ProtocolVersion = '1.0.0' | '2.0.0'

/** A message from a client. `joinRef` and `ref` are whatever the client chose, kept verbatim for the echo. */
export interface Incoming {
  readonly joinRef: string | null
  readonly ref: string | null
  readonly topic: string
  readonly event: string
  readonly payload: JsonObject
  /** A broadcast that arrived as bytes: the payload as sent, not decoded. */
  readonly raw?: MessageBody
}

/** Why bytes are not a message. `ref` and `topic` are there when they could be read, so that the refusal reaches the push that waits for it. */
export interface Malformed {
  readonly malformed: string
  readonly ref: string | null
  readonly joinRef: string | null
  readonly topic: string | null
}

const KIND_USER_BROADCAST_PUSH = 3
const KIND_USER_BROADCAST = 4
const ENCODING_JSON = 1
/** Deeper payloads are refused before they are walked: recursion must have a bound. */
const MAX_DEPTH = 100

const malformed = (reason: string, known: Partial<Malformed> = {}): Malformed => ({
  malformed: reason,
  ref: known.ref ?? null,
  joinRef: known.joinRef ?? null,
  topic: known.topic ?? null,
})

/** Reads a text message. */
export const decodeText = (text: string, version: ProtocolVersion): Incoming | Malformed => {
  if (nesting(text) > MAX_DEPTH) return malformed('the message is nested too deeply')
  const value = parseJson(text)
  if (value === undefined) return malformed('the message is not JSON')
  if (version === '2.0.0') {
    if (!Array.isArray(value) || value.length !== 5) return malformed('a message is an array of five')
    const [joinRef, ref, topic, event, payload] = value
    return check({ joinRef, ref, topic, event, payload })
  }
  if (!isObject(value)) return malformed('a message is an object')
  return check({
    joinRef: value.join_ref,
    ref: value.ref,
    topic: value.topic,
    event: value.event,
    payload: value.payload,
  })
}

type Loose = Record<'joinRef' | 'ref' | 'topic' | 'event' | 'payload', Json | undefined>

const check = (loose: Loose): Incoming | Malformed => {
  const ref = refOf(loose.ref)
  const joinRef = refOf(loose.joinRef)
  const topic = typeof loose.topic === 'string' ? loose.topic : null
  const known = { ref: ref ?? null, joinRef: joinRef ?? null, topic }
  if (ref === undefined || joinRef === undefined) return malformed('ref and join_ref are strings', known)
  if (topic === null || topic === '') return malformed('topic is a non-empty string', known)
  if (typeof loose.event !== 'string' || loose.event === '') return malformed('event is a non-empty string', known)
  const payload = loose.payload ?? {}
  if (!isObject(payload)) return malformed('payload is an object', known)
  return { joinRef, ref, topic, event: loose.event, payload }
}

/** A ref is a string or absent; some clients count in numbers. Undefined: something else. */
const refOf = (value: Json | undefined): string | null | undefined => {
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return value.length <= 255 ? value : undefined
  return typeof value === 'number' ? String(value) : undefined
}

/** Greatest depth of brackets outside of strings. One pass without recursion: it runs before the parser. */
const nesting = (text: string): number => {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (inString) {
      if (code === 0x5c) index++
      else if (code === 0x22) inString = false
    } else if (code === 0x22) inString = true
    else if (code === 0x5b || code === 0x7b) {
      depth++
      if (depth > deepest) deepest = depth
    } else if (code === 0x5d || code === 0x7d) depth--
  }
  return deepest
}

/** JSON from bytes that a client sent; undefined when it is none, no UTF-8, or too deep to be walked. */
export const parseBytes = (bytes: Buffer): Json | undefined => {
  try {
    const text = UTF8.decode(bytes)
    return nesting(text) > MAX_DEPTH ? undefined : parseJson(text)
  } catch {
    return undefined
  }
}

/** Reads a binary message: kind 3, a broadcast of the user's. */
export const decodeBinary = (bytes: Buffer): Incoming | Malformed => {
  if (bytes[0] !== KIND_USER_BROADCAST_PUSH) return malformed('unknown kind of binary message')
  if (bytes.length < 7) return malformed('truncated binary message')
  let offset = 7
  const strings: string[] = []
  for (let field = 1; field <= 5; field++) {
    const length = bytes[field] ?? 0
    if (offset + length > bytes.length) return malformed('truncated binary message')
    strings.push(decodeString(bytes.subarray(offset, offset + length)))
    offset += length
  }
  const [joinRef = '', ref = '', topic = '', event = '', metadata = ''] = strings
  const known = { ref: ref || null, joinRef: joinRef || null, topic: topic || null }
  if (topic === '' || event === '') return malformed('topic and event must not be empty', known)
  const meta = metadata === '' ? {} : parseJson(metadata)
  if (!isObject(meta)) return malformed('the metadata is not a JSON object', known)
  const encoding = bytes[6] === ENCODING_JSON ? 'json' : 'binary'
  const body = bytes.subarray(offset)
  if (encoding === 'json') {
    const text = body.toString('utf8')
    if (nesting(text) > MAX_DEPTH || parseJson(text) === undefined) return malformed('the payload is not JSON', known)
  }
  const payload: JsonObject = { ...meta, type: 'broadcast', event }
  return { joinRef: known.joinRef, ref: known.ref, topic, event: 'broadcast', payload, raw: { encoding, bytes: body } }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** Newer clients write UTF-8; older ones write the low byte of each character, which for Western letters is Latin-1. */
const decodeString = (bytes: Buffer): string => {
  try {
    return UTF8.decode(bytes)
  } catch {
    return bytes.toString('latin1')
  }
}

/** What an old client makes of a name in its binary frames: the low byte of each UTF-16 unit. */
export const truncatedName = (name: string): string => {
  const bytes = Buffer.alloc(name.length)
  // One unit per code point, as the client iterates code points and writes the first unit of each.
  let length = 0
  for (const character of name) bytes[length++] = character.charCodeAt(0) & 0xff
  return decodeString(bytes.subarray(0, length))
}

/** A message to a client. `payload` is JSON text already, so that what many receive is written once. */
export interface Outgoing {
  readonly joinRef: string | null
  readonly ref: string | null
  readonly topic: string
  readonly event: string
  readonly payload: string
}

/** The text of a message in a protocol version. */
export const encodeText = (message: Outgoing, version: ProtocolVersion): string => {
  const { joinRef, ref, topic, event, payload } = message
  const quoted = (value: string | null) => JSON.stringify(value)
  return version === '2.0.0'
    ? `[${quoted(joinRef)},${quoted(ref)},${quoted(topic)},${quoted(event)},${payload}]`
    : `{"topic":${quoted(topic)},"event":${quoted(event)},"payload":${payload},"ref":${quoted(ref)}}`
}

export const encodeFrame = (message: Outgoing, version: ProtocolVersion): Frame =>
  textFrame(encodeText(message, version))

/** A broadcast as clients receive it. */
export interface Broadcast {
  readonly event: string
  readonly payload: MessageBody
  /** Metadata, for example the id of a stored message. */
  readonly meta?: JsonObject
}

/** The frame of a broadcast: bytes for protocol 2 (its client decodes kind 4 only), JSON for protocol 1 and for names that do not fit a length byte. */
export const encodeBroadcast = (topic: string, broadcast: Broadcast, version: ProtocolVersion): Frame => {
  const binary = version === '2.0.0' ? userBroadcast(topic, broadcast) : null
  if (binary !== null) return binaryFrame(binary)
  const { payload, event, meta } = broadcast
  // Protocol 1 has no bytes: they travel as Base64 in an object, since its client wants objects.
  const body =
    payload.encoding === 'json'
      ? payload.bytes.toString('utf8')
      : JSON.stringify({ base64: payload.bytes.toString('base64') })
  const metaText = meta === undefined ? '' : `,"meta":${JSON.stringify(meta)}`
  const text = `{"type":"broadcast","event":${JSON.stringify(event)},"payload":${body}${metaText}}`
  return encodeFrame({ joinRef: null, ref: null, topic, event: 'broadcast', payload: text }, version)
}

const userBroadcast = (topic: string, { event, payload, meta }: Broadcast): Buffer | null => {
  const strings = [topic, event, meta === undefined ? '' : JSON.stringify(meta)].map((text) => Buffer.from(text))
  if (strings.some((bytes) => bytes.length > 255)) return null
  const lengths = strings.map((bytes) => bytes.length)
  const header = Buffer.from([KIND_USER_BROADCAST, ...lengths, payload.encoding === 'json' ? ENCODING_JSON : 0])
  return Buffer.concat([header, ...strings, payload.bytes])
}
