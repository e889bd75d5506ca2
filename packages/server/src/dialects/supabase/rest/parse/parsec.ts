/**
 * Parser combinators that fail in Parsec's words: where the furthest alternative stopped, what it met and what could have followed. They are
 * too slow for every request and run only on text that the real parsers have refused, to say why.
 */

type Kind = 'met' | 'unexpected' | 'expected'

interface Failure {
  readonly at: number
  readonly messages: readonly (readonly [Kind, string])[]
}

interface Reply {
  readonly ok: boolean
  readonly consumed: boolean
  /** Where it went on from. */
  readonly at: number
  readonly failure: Failure
}

/** Reads characters from a position on. Values are of no interest here, only how far it comes. */
export type Parser = (text: readonly string[], at: number) => Reply

const none = (at: number): Failure => ({ at, messages: [] })

const merged = (a: Failure, b: Failure): Failure => {
  if (b.messages.length === 0 && a.messages.length > 0) return a
  if (a.messages.length === 0 && b.messages.length > 0) return b
  if (a.at !== b.at) return a.at > b.at ? a : b
  return { at: a.at, messages: [...a.messages, ...b.messages] }
}

/** How Haskell shows a text in a message. */
const shown = (text: string, quote = '"'): string => {
  const escaped = [...text].map((char) => {
    if (char === quote || char === '\\') return `\\${char}`
    const code = char.codePointAt(0) ?? 0
    if (code >= 32 && code < 127) return char
    return CONTROLS[char] ?? `\\${code}`
  })
  return `${quote}${escaped.join('')}${quote}`
}

const CONTROLS: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r', '\x7f': '\\DEL' }

/** Succeeds without reading. */
export const nothing: Parser = (_text, at) => ({ ok: true, consumed: false, at, failure: none(at) })

/** Fails without a word. */
export const never: Parser = (_text, at) => ({ ok: false, consumed: false, at, failure: none(at) })

export const satisfy =
  (accepts: (char: string) => boolean): Parser =>
  (text, at) => {
    const char = text[at]
    if (char !== undefined && accepts(char)) return { ok: true, consumed: true, at: at + 1, failure: none(at + 1) }
    return failed({ at, messages: [['met', char === undefined ? '' : shown(char)]] })
  }

const failed = (failure: Failure, consumed = false): Reply => ({ ok: false, consumed, at: failure.at, failure })

/** All of a word, or a failure where the word begins. */
export const word =
  (expected: string): Parser =>
  (text, start) => {
    const letters = [...expected]
    for (const [index, letter] of letters.entries()) {
      const char = text[start + index]
      if (char === letter) continue
      const met = char === undefined ? '' : shown(char)
      const failure: Failure = {
        at: start,
        messages: [
          ['expected', shown(expected)],
          ['met', met],
        ],
      }
      return failed(failure, index > 0)
    }
    const at = start + letters.length
    return { ok: true, consumed: true, at, failure: none(at) }
  }

export const char = (wanted: string): Parser =>
  label(
    satisfy((each) => each === wanted),
    shown(wanted),
  )

/** One after the other. */
export const seq =
  (...parsers: readonly Parser[]): Parser =>
  (text, start) => {
    let reply = nothing(text, start)
    for (const parser of parsers) {
      const next = parser(text, reply.at)
      reply = next.consumed ? next : { ...next, consumed: reply.consumed, failure: merged(reply.failure, next.failure) }
      if (!reply.ok) return reply
    }
    return reply
  }

/** The first that goes anywhere. */
export const any =
  (...parsers: readonly Parser[]): Parser =>
  (text, start) => {
    let failure = none(start)
    for (const parser of parsers) {
      const reply = parser(text, start)
      if (reply.consumed) return reply
      failure = merged(failure, reply.failure)
      if (reply.ok) return { ...reply, failure }
    }
    return failed(failure)
  }

/** What fails has read nothing. */
export const attempt =
  (parser: Parser): Parser =>
  (text, start) => {
    const reply = parser(text, start)
    return reply.ok ? reply : { ...reply, consumed: false }
  }

export const optional = (parser: Parser): Parser => any(parser, nothing)

export const many =
  (parser: Parser): Parser =>
  (text, start) => {
    let at = start
    for (;;) {
      const reply = parser(text, at)
      if (!reply.ok && reply.consumed) return reply
      if (!reply.ok || reply.at === at) return { ok: true, consumed: at > start, at, failure: reply.failure }
      at = reply.at
    }
  }

export const many1 = (parser: Parser): Parser => seq(parser, many(parser))

export const separated1 = (parser: Parser, separator: Parser): Parser => seq(parser, many(seq(separator, parser)))

/** Looks without going on. */
export const ahead =
  (parser: Parser): Parser =>
  (text, start) => {
    const reply = parser(text, start)
    return reply.ok ? nothing(text, start) : reply
  }

/** Fails when `parser` could go on, naming what it would read. */
export const notFollowedBy =
  (parser: Parser, moves = true): Parser =>
  (text, start) => {
    const reply = parser(text, start)
    if (!reply.ok) return { ...nothing(text, start), failure: reply.failure }
    const char = shown(text.slice(start, reply.at).join(''), "'")
    return failed({ at: moves ? reply.at : start, messages: [['unexpected', char]] })
  }

/** Says in one phrase what was expected, where nothing was read yet. */
export const label =
  (parser: Parser, expected: string): Parser =>
  (text, start) => {
    const reply = parser(text, start)
    if (reply.consumed || (reply.ok && reply.failure.messages.length === 0)) return reply
    const { at, messages } = reply.failure
    return {
      ...reply,
      failure: { at, messages: [['expected', expected], ...messages.filter(([kind]) => kind !== 'expected')] },
    }
  }

const anyChar = satisfy(() => true)

export const end: Parser = label(notFollowedBy(anyChar, false), 'end of input')

/** Where and why `parser` refuses a text; null when it does not. */
export const explain = (parser: Parser, text: string): { readonly column: number; readonly details: string } | null => {
  const reply = parser([...text], 0)
  return reply.ok ? null : { column: reply.failure.at + 1, details: worded(reply.failure) }
}

const worded = ({ messages }: Failure): string => {
  const of = (wanted: Kind) => messages.flatMap(([kind, text]) => (kind === wanted ? [text] : []))
  const unexpected = unique(of('unexpected'))
  const [met] = of('met')
  const parts: string[] = []
  if (unexpected.length > 0) parts.push(`unexpected ${listed(unexpected)}`)
  else if (met !== undefined) parts.push(`unexpected ${met === '' ? 'end of input' : met}`)
  const expected = unique(of('expected'))
  if (expected.length > 0) parts.push(`expecting ${listed(expected)}`)
  return parts.length === 0 ? 'unknown parse error' : parts.join(' ')
}

const unique = (texts: readonly string[]): readonly string[] => [...new Set(texts.filter((text) => text !== ''))]

const listed = (texts: readonly string[]): string => {
  const last = texts.at(-1) ?? ''
  return texts.length < 2 ? last : `${texts.slice(0, -1).join(', ')} or ${last}`
}
