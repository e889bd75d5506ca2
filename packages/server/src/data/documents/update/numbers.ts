/** Arithmetic between document numbers in updates: the wider type wins, and an integer that leaves 64 bits is refused. */
import {
  Decimal,
  double,
  fitsLong,
  integer,
  isNumber,
  long,
  numberKind,
  toBigInt,
  toNumber,
  type Value,
} from '../../../expr/bson/value.ts'
import { DocumentError } from '../errors.ts'

type AnyNumber = Parameters<typeof toNumber>[0]

const isWhole = (value: AnyNumber): boolean => numberKind(value) === 'int' || numberKind(value) === 'long'

export interface Operation {
  readonly exact: (a: bigint, b: bigint) => bigint
  readonly rounded: (a: number, b: number) => number
}

export const PLUS: Operation = { exact: (a, b) => a + b, rounded: (a, b) => a + b }
export const TIMES: Operation = { exact: (a, b) => a * b, rounded: (a, b) => a * b }

/** The result in the wider of both types. Throws `failed_operation` on overflow. */
export const compute = (a: AnyNumber, b: AnyNumber, { exact, rounded }: Operation): Value => {
  if (a instanceof Decimal || b instanceof Decimal) return new Decimal(String(rounded(toNumber(a), toNumber(b))))
  const [x, y] = [toBigInt(a), toBigInt(b)]
  if (!isWhole(a) || !isWhole(b) || x === null || y === null) return double(rounded(toNumber(a), toNumber(b)))
  const result = exact(x, y)
  if (!fitsLong(result))
    throw new DocumentError('failed_operation', 'Failed to apply the operation: 64-bit integer overflow')
  // A long stays long, however small it becomes.
  return numberKind(a) === 'long' || numberKind(b) === 'long' ? long(result) : integer(result)
}

/** A whole number for `$bit` and the like; null for anything else. */
export const wholeOf = (value: Value | undefined): bigint | null =>
  isNumber(value) && isWhole(value) ? toBigInt(value) : null
