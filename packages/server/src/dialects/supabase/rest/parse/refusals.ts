/** The grammar of each parameter once more, as PostgREST writes it, to word a refusal exactly as it does. Nothing here accepts a request. */
import { RestError } from '../errors.ts'
import {
  ahead,
  any,
  attempt,
  char,
  end,
  explain,
  label,
  many,
  many1,
  never,
  notFollowedBy,
  nothing,
  optional,
  type Parser,
  satisfy,
  separated1,
  seq,
  word,
} from './parsec.ts'
import { syntaxError } from './scanner.ts'

const lazy =
  (parser: () => Parser): Parser =>
  (text, at) =>
    parser()(text, at)

const oneOf = (chars: string): Parser => satisfy((each) => chars.includes(each))
const noneOf = (chars: string): Parser => satisfy((each) => !chars.includes(each))
const letter = label(
  satisfy((each) => /\p{L}/u.test(each)),
  'letter',
)
const digit = label(
  satisfy((each) => each >= '0' && each <= '9'),
  'digit',
)
const blanks = many(oneOf(' \t'))
const lexeme = (parser: Parser): Parser => seq(blanks, parser, blanks)
const dot = label(char('.'), 'delimiter (.)')

// --- names and paths

const quoted = seq(
  char('"'),
  many(
    any(
      noneOf('\\"'),
      seq(
        char('\\'),
        satisfy(() => true),
      ),
    ),
  ),
  char('"'),
)
const dash = attempt(seq(char('-'), notFollowedBy(char('>'))))
const byDash = (parser: Parser): Parser => separated1(parser, dash)
const identifier = many1(any(letter, digit, oneOf('_ $')))
const fieldName = label(any(quoted, byDash(identifier)), 'field name (* or [a..z0..9_$])')

const arrow = any(attempt(word('->>')), attempt(word('->')))
const afterIndex = any(...['->', '::', '.', ','].map((each) => attempt(ahead(word(each)))), attempt(end))
const index = seq(optional(char('-')), many1(digit), afterIndex)
const key = label(any(quoted, byDash(many1(noneOf('(-:.,>)')))), 'any non reserved character different from: .,>()')
const jsonPath = many1(seq(arrow, any(attempt(index), attempt(key))))
const field = lexeme(seq(fieldName, optional(attempt(jsonPath))))

// --- filters

const choice = (words: readonly string[]): Parser =>
  any(...[...words].sort((a, b) => b.length - a.length).map((each) => attempt(word(each))))
const simpleOperator = choice(['neq', 'cs', 'cd', 'ov', 'sl', 'sr', 'nxr', 'nxl', 'adj'])
const quantOperator = choice(['eq', 'gte', 'gt', 'lte', 'lt', 'like', 'ilike', 'match', 'imatch'])
const searchOperator = choice(['fts', 'plfts', 'phfts', 'wfts'])

const anyCase = (text: string): Parser =>
  seq(...[...text].map((each) => any(char(each), ...(each === '_' ? [] : [char(each.toUpperCase())]))))
const isValue = label(
  any(...['null', 'not_null', 'true', 'false', 'unknown'].map((each) => attempt(anyCase(each)))),
  'isVal: (null, not_null, true, false, unknown)',
)
const wholeElement = attempt(seq(quoted, notFollowedBy(noneOf(',)'))))
const listValue = seq(
  lexeme(char('(')),
  separated1(any(wholeElement, many(noneOf(',)'))), char(',')),
  lexeme(char(')')),
)
const between = (inner: Parser): Parser => seq(char('('), inner, char(')'))

const operation = (value: Parser): Parser =>
  label(
    any(
      seq(attempt(seq(word('in'), dot)), listValue),
      seq(attempt(seq(word('is'), dot)), isValue),
      seq(attempt(seq(word('isdistinct'), dot)), value),
      attempt(seq(searchOperator, optional(attempt(between(identifier))), dot, value)),
      attempt(seq(simpleOperator, dot, value)),
      attempt(
        seq(quantOperator, optional(attempt(between(any(attempt(word('any')), attempt(word('all')))))), dot, value),
      ),
    ),
    'operator (eq, gt, ...)',
  )
const filter = (value: Parser): Parser => seq(any(attempt(seq(word('not'), dot)), nothing), operation(value))

// --- trees

const treeValue = any(wholeElement, attempt(seq(word('{'), many(noneOf('{}')), word('}'))), many(noneOf(',)')))
const negation = label(any(attempt(seq(word('not'), dot)), nothing), 'negation operator (not)')
const junctor = label(any(attempt(word('and')), word('or')), 'logic operator (and, or)')
const tree: Parser = lazy(() =>
  any(
    attempt(seq(field, dot, filter(treeValue))),
    seq(negation, junctor, lexeme(char('(')), separated1(tree, lexeme(char(','))), lexeme(char(')'))),
  ),
)

// --- select

const alias = optional(attempt(seq(fieldName, char(':'), notFollowedBy(char(':')))))
const fieldEnd = any(attempt(ahead(word(')'))), attempt(ahead(word(','))), attempt(end))
const cast = optional(seq(word('::'), identifier))
const aggregate = any(...['sum', 'avg', 'count', 'max', 'min'].map((each) => attempt(word(each))))
const selectField = lexeme(
  any(
    attempt(seq(word('*'), fieldEnd)),
    attempt(seq(alias, word('count()'), cast, fieldEnd)),
    seq(alias, field, cast, optional(attempt(seq(char('.'), aggregate, word('()')))), cast, fieldEnd),
  ),
)
const hint = optional(seq(char('!'), any(attempt(word('left')), attempt(word('inner')), attempt(fieldName))))
const notCount: Parser = (text, at) => {
  const reply = fieldName(text, at)
  return reply.ok && text.slice(at, reply.at).join('').trim() === 'count' ? never(text, at) : reply
}
const embedHead = lexeme(seq(alias, notCount, hint, hint, attempt(ahead(word('(')))))
const spreadHead = lexeme(seq(word('...'), fieldName, hint, hint, attempt(ahead(word('(')))))
const selectItem: Parser = lazy(() =>
  any(attempt(seq(spreadHead, between(selectItems))), attempt(seq(embedHead, between(selectItems))), selectField),
)
const selectItems: Parser = lazy(() => optional(separated1(selectItem, lexeme(char(',')))))

// --- order

const direction = optional(any(attempt(seq(dot, word('asc'))), attempt(seq(dot, word('desc')))))
const nulls = optional(any(attempt(seq(dot, word('nullsfirst'))), attempt(seq(dot, word('nullslast')))))
const orderEnd = any(attempt(ahead(char(','))), attempt(end))
const orderTail = seq(direction, any(seq(nulls, orderEnd), orderEnd))
const orderTerm = lexeme(any(attempt(seq(fieldName, between(field), orderTail)), seq(field, orderTail)))

const GRAMMARS = {
  'select parameter': selectItems,
  filter: filter(many(satisfy(() => true))),
  'logic tree': tree,
  order: separated1(orderTerm, char(',')),
  'tree path': seq(separated1(fieldName, dot), optional(jsonPath)),
  'logic path': separated1(fieldName, dot),
  'columns parameter': separated1(fieldName, lexeme(char(','))),
  'on_conflict parameter': separated1(fieldName, lexeme(char(','))),
} as const

export type Grammar = keyof typeof GRAMMARS

/** A longer text is refused in our own words: these parsers may look at a character several times. */
const MAX_TEXT = 2_000
/** They call themselves at each opening parenthesis. */
const MAX_GROUPS = 100

/** The refusal of `text` in PostgREST's words; null where its grammar would have taken it. `prefix`: what it parses before the text. */
export const refusalOf = (grammar: Grammar, text: string, prefix = ''): RestError | null => {
  if (text.length > MAX_TEXT || text.split('(', MAX_GROUPS + 1).length > MAX_GROUPS) return null
  const why = explain(GRAMMARS[grammar], prefix + text)
  return why === null ? null : syntaxError(grammar, text, why.column, why.details)
}

/** Runs a parser; what it refuses is refused in PostgREST's words. */
export const reworded = <T>(grammar: Grammar, text: string, parse: () => T, prefix = ''): T => {
  try {
    return parse()
  } catch (error) {
    throw (error instanceof RestError ? refusalOf(grammar, text, prefix) : null) ?? error
  }
}
