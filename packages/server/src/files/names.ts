/** Which names buckets and objects may have. Names never become file names; these rules keep URLs, policies and listings unambiguous. */
import { bucketNotFound, refusal } from './errors.ts'

/** Every assigned letter, mark, number, symbol, punctuation and space, and the joiners that emoji need. One class: alternatives that overlap would take exponential time. */
const KEY_CHARACTERS = /^[\p{L}\p{M}\p{N}\p{S}\p{P}\p{Zs}\u200c\u200d]+$/u
// What Supabase refuses of ASCII: these end or change URLs, paths and patterns.
const REFUSED_ASCII = /["#%<>[\]\\^`{|}~]/
const BUCKET_CHARACTERS = /^[\w!\-.*'() &$@=;:+,?]+$/
const LONE_SURROGATE = /\p{Surrogate}/u
const MAX_KEY_BYTES = 1024
const MAX_BUCKET_CHARACTERS = 100

/** Whether text can be stored by Postgres and sent as UTF-8 at all. */
export const isStorableText = (text: string): boolean => !text.includes('\0') && !LONE_SURROGATE.test(text)

const isDotSegment = (segment: string): boolean => /^\.+$/.test(segment)

/** Whether `name` may name an object. */
export const isObjectName = (name: string): boolean =>
  name.length > 0 &&
  name.length <= MAX_KEY_BYTES &&
  isStorableText(name) &&
  KEY_CHARACTERS.test(name) &&
  !REFUSED_ASCII.test(name) &&
  Buffer.byteLength(name) <= MAX_KEY_BYTES &&
  // An empty segment is a leading, trailing or doubled slash.
  name.split('/').every((segment) => segment !== '' && !isDotSegment(segment))

/** Answers the name, or throws `invalid_key`. */
export const parseObjectName = (name: string): string => {
  if (!isObjectName(name)) throw refusal('invalid_key', `Invalid key: ${printable(name)}`)
  return name
}

/** Whether `name` may name a new bucket. Buckets that SQL made may have other names. */
export const isBucketName = (name: string): boolean =>
  name.length > 0 &&
  name.length <= MAX_BUCKET_CHARACTERS &&
  BUCKET_CHARACTERS.test(name) &&
  name.trim() === name &&
  !isDotSegment(name)

/** Answers the name, or throws `invalid_bucket_name`. */
export const parseBucketName = (name: string): string => {
  if (!isBucketName(name)) throw refusal('invalid_bucket_name', 'Bucket name invalid')
  return name
}

/** A bucket id that Postgres can look up; one that it cannot hold does not exist. */
export const storable = (bucketId: string): string => {
  if (!isStorableText(bucketId)) throw bucketNotFound()
  return bucketId
}

// An error message is read by people and logs: bounded, and without characters that do something to a terminal.
const printable = (name: string): string => {
  const shown = name.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/gu, '\u{fffd}')
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown
}
