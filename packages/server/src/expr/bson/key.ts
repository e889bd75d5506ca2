/** Values as bytes that sort like the values: the same bytes that `bson.key` makes in the database. Pure. */
import { rankOf, sortedFields } from './compare.ts'
import { Binary, DateTime, isArray, isDoc, isNumber, Long, Regex, Timestamp, toNumber, type Value } from './value.ts'

/** Keys in an index are cut after this many bytes, and continue with a digest. */
export const INDEX_KEY_BYTES = 800

const ZERO = Buffer.from([0])

export const keyOf = (value: Value | undefined): Buffer => {
  const rank = Buffer.from([rankOf(value)])
  if (value === undefined || value === null) return rank
  if (typeof value === 'string') return Buffer.concat([rank, Buffer.from(value), ZERO])
  if (typeof value === 'boolean') return Buffer.concat([rank, Buffer.from([value ? 1 : 0])])
  if (isNumber(value)) return Buffer.concat([rank, numberKey(value)])
  if (isArray(value)) return Buffer.concat([rank, ...value.map(keyOf), ZERO])
  if (isDoc(value)) {
    const fields = sortedFields(value).flatMap((name) => {
      const key = keyOf(value[name])
      return [key.subarray(0, 1), Buffer.from(name), ZERO, key]
    })
    return Buffer.concat([rank, ...fields, ZERO])
  }
  return Buffer.concat([rank, ...taggedKey(value)])
}

const long = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}

const taggedKey = (value: Value): readonly Buffer[] => {
  if (value instanceof DateTime) return [long(BigInt.asIntN(64, BigInt(value.millis) ^ (1n << 63n)))]
  if (value instanceof Timestamp) return [long(BigInt(value.seconds)), long(BigInt(value.increment))]
  if (value instanceof Regex) return [Buffer.from(value.pattern), ZERO, Buffer.from(value.options), ZERO]
  if (!(value instanceof Binary)) return []
  const bytes = Buffer.from(value.base64, 'base64')
  const length = Buffer.alloc(4)
  length.writeInt32BE(bytes.length)
  return [length, Buffer.from(value.subType, 'hex'), bytes]
}

/** The double's bits in sorting form, then what a long has beyond that double. */
const numberKey = (value: Parameters<typeof toNumber>[0]): Buffer => {
  const bytes = Buffer.alloc(10)
  const plain = toNumber(value) + 0
  bytes.writeUInt16BE(0x8000, 8)
  if (Number.isNaN(plain)) return bytes
  bytes.writeDoubleBE(plain === 0 ? 0 : plain)
  const bits = bytes.readBigInt64BE()
  bytes.writeBigInt64BE(bits < 0n ? ~bits : BigInt.asIntN(64, bits | (1n << 63n)))
  if (value instanceof Long) bytes.writeUInt16BE(0x8000 + Number(value.value - BigInt(plain)), 8)
  return bytes
}
