/** As much of the protobuf wire format as the open API's messages need: numbers, and fields of bytes. */

export interface Field {
  readonly number: number
  readonly value: number | Buffer
}

export class ProtobufError extends Error {}

/** The fields of one message, in order. Throws ProtobufError. */
export const readFields = (bytes: Buffer): readonly Field[] => {
  const fields: Field[] = []
  for (let at = 0; at < bytes.length; ) {
    const [tag, afterTag] = readVarint(bytes, at)
    const [number, type] = [Math.floor(tag / 8), tag % 8]
    const [first, afterFirst] = type === 0 || type === 2 ? readVarint(bytes, afterTag) : [0, afterTag]
    if (type === 0) {
      fields.push({ number, value: first })
      at = afterFirst
    } else if (type === 2) {
      if (afterFirst + first > bytes.length) throw new ProtobufError('a field ends after the message')
      fields.push({ number, value: bytes.subarray(afterFirst, afterFirst + first) })
      at = afterFirst + first
    } else {
      throw new ProtobufError(`wire type ${type} is not used by these messages`)
    }
  }
  return fields
}

const readVarint = (bytes: Buffer, from: number): readonly [number, number] => {
  let value = 0
  for (let at = from, scale = 1; at < bytes.length && at < from + 10; at += 1, scale *= 128) {
    const byte = bytes[at] ?? 0
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return [value, at + 1]
  }
  throw new ProtobufError('a number does not end')
}

/** The first field of bytes with this number. */
export const bytesOf = (fields: readonly Field[], number: number): Buffer | null => {
  const found = fields.find((each) => each.number === number)?.value
  return Buffer.isBuffer(found) ? found : null
}

export const writeFields = (fields: readonly Field[]): Buffer =>
  Buffer.concat(
    fields.flatMap(({ number, value }) =>
      typeof value === 'number'
        ? [varint(number * 8), varint(value)]
        : [varint(number * 8 + 2), varint(value.length), value],
    ),
  )

const varint = (value: number): Buffer => {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) | 0x80)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}
