/** What may be written down: fields without secrets, text without tokens, errors without the data they were about. Pure. */

const REDACTED = '[redacted]'

/** Names whose values are never written, wherever they turn up. */
const SECRET_NAME =
  /^(.*(token|secret|password|passwd|cookie|apikey|api[-_]key|authorization|session_?key|private_?key|(anon|service|publishable|secret)_?key)|code|js_code|otp|phone(_?number)?|mobile)$/i

// Each starts at a word boundary and runs over a bounded or plain class, so that long text stays linear.
const SECRET_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, REDACTED],
  [/\bsb_(secret|publishable)_[\w-]+/g, REDACTED],
  [/\b(bearer|basic) +[^\s"',]+/gi, `$1 ${REDACTED}`],
  [/\b([a-z][a-z+]{1,19}:\/\/[^\s:/@]{0,200}):[^\s@/]{1,500}@/gi, `$1:${REDACTED}@`],
  [
    /\b(apikey|api_key|(?:access_|refresh_|provider_|id_)?token|password|(?:app|client_)?secret|session_key|js_code|code|otp)=[^&\s"'#]+/gi,
    `$1=${REDACTED}`,
  ],
]

const LONGEST_TEXT = 16_384
const DEEPEST = 5
const MOST_ENTRIES = 50

/** Text without what looks like a token, a key, or the password in a URL. */
export const scrubText = (text: string): string => {
  const short = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text
  return SECRET_TEXT.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), short)
}

// Of pg's errors: what names the object and the rule. `detail`, `where` and `hint` quote the rows and values.
const ERROR_FIELDS = [
  'code',
  'reason',
  'severity',
  'routine',
  'schema',
  'table',
  'column',
  'constraint',
  'syscall',
  'address',
  'port',
]

/** How much of one line may be written yet: what is wide at every level would otherwise be fifty to the power of five values. */
interface Budget {
  left: number
}
const MOST_VALUES = 1_000

/** An error as the log shows it: kind, message, stack, cause, and nothing of the data that it was about. */
const describeError = (error: Error, depth: number, budget: Budget): Readonly<Record<string, unknown>> => {
  const described: Record<string, unknown> = { type: error.name, message: scrubText(error.message) }
  for (const [name, value] of Object.entries(error)) {
    if (!ERROR_FIELDS.includes(name)) continue
    if (typeof value === 'string') described[name] = scrubText(value)
    else if (typeof value === 'number') described[name] = value
  }
  if (error.stack !== undefined) described.stack = scrubText(error.stack)
  if (error.cause !== undefined && depth < DEEPEST) described.cause = redactValue(error.cause, depth + 1, budget)
  if (error instanceof AggregateError && depth < DEEPEST)
    described.errors = redactValue(error.errors, depth + 1, budget)
  return described
}

/** Fields as the log shows them. */
export const redactFields = (fields: object): Record<string, unknown> => redactObject(fields, 0, { left: MOST_VALUES })

const redactObject = (object: object, depth: number, budget: Budget): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(object)
      .slice(0, MOST_ENTRIES)
      .map(([name, value]) => [name, SECRET_NAME.test(name) ? REDACTED : redactValue(value, depth + 1, budget)]),
  )

const redactValue = (value: unknown, depth: number, budget: Budget): unknown => {
  budget.left -= 1
  if (budget.left < 0) return '…'
  if (typeof value === 'string') return scrubText(value)
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? undefined : value
  if (value instanceof Error) return describeError(value, depth, budget)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (depth > DEEPEST) return '…'
  if (Array.isArray(value)) return value.slice(0, MOST_ENTRIES).map((each) => redactValue(each, depth + 1, budget))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return redactObject(value, depth, budget)
  // A request, a socket, bytes: who knows what they hold.
  return `[${value.constructor.name}]`
}
