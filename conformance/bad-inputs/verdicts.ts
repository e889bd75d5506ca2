/** Which bad inputs are legitimate where. Everything that is not named here must be refused with a 4xx. */
import type { Endpoint } from './endpoints.ts'

/** The place in a request where the bad input stands. */
export type Place = 'body' | 'query' | 'header' | 'type' | 'segment' | 'text'

interface Legitimate {
  readonly place: Place
  /** Endpoints, as `METHOD path`. */
  readonly at: RegExp
  /** All of the place when absent. */
  readonly inputs?: readonly string[]
  readonly except?: readonly string[]
  readonly why: string
}

const ODD_BUT_JSON = ['an empty body', 'a key of 1 MB', 'a key twice', 'constructor.prototype', 'null', 'GBK bytes']
const TABLE_WRITES = /^(POST|PATCH) \/rest\/v1\/item/
const FILES = /^(POST|PUT) \/storage\/v1\/object\/open\/(new|there\.txt)/
const NO_FILTERS = /^(GET \/rest\/v1\/$|OPTIONS |GET \/health)/
const NAMES = ['an emoji of seven code points', 'full-width digits', 'SQL']
const LEGAL_TEXTS = [...NAMES, 'right-to-left text', '1 MB of text']
const ANY_TYPE = ['a number', 'an object', 'a list', 'true']
const UNSTORABLE = ['an escaped NUL', 'a lone surrogate', 'a surrogate pair the wrong way round']

export const LEGITIMATE: readonly Legitimate[] = [
  // Bodies.
  { place: 'body', at: FILES, why: 'a file may hold any bytes' },
  { place: 'body', at: TABLE_WRITES, inputs: ['a key twice', 'a byte order mark'], why: 'JSON: the last key wins' },
  { place: 'body', at: TABLE_WRITES, inputs: ['null', 'a number', 'a string'], why: 'no rows, so nothing is written' },
  {
    place: 'body',
    at: /^(POST \/storage\/v1\/object\/list|DELETE \/storage\/v1\/object\/open$)/,
    inputs: [...ODD_BUT_JSON, 'objects 10,000 deep'],
    why: 'unknown fields are ignored, and without fields the answer is an empty or whole list',
  },
  {
    place: 'body',
    at: /^POST \/storage\/v1\/object\/upload\/sign/,
    inputs: [
      ...ODD_BUT_JSON,
      'objects 10,000 deep',
      'lists 10,000 deep',
      'a number',
      'a string',
      'a list of nothing',
      'rows that differ',
    ],
    why: 'no field of the body means anything there',
  },
  {
    place: 'body',
    at: /^POST \/realtime\/v1\/api\/broadcast\/room/,
    inputs: [
      'a key of 1 MB',
      'a key twice',
      '__proto__',
      'constructor.prototype',
      'a number',
      'a string',
      'a list of nothing',
      'rows that differ',
      'a byte order mark',
    ],
    why: 'the payload of a broadcast is any JSON',
  },
  // Queries: parameters that mean nothing are ignored, except by tables and functions, where each one is a filter or an argument.
  { place: 'query', at: /^\w+ \/(storage|realtime|health)/, why: 'unknown parameters are ignored' },
  {
    place: 'query',
    at: NO_FILTERS,
    except: ['10,000 parameters', 'an escaped NUL'],
    why: 'there is nothing to filter, and a parameter without a value is none',
  },
  {
    place: 'query',
    at: /^POST \/rest\/v1\/item/,
    inputs: ['one parameter 400 times'],
    why: 'a filter of an answer without rows',
  },
  // Headers: what is garbled counts as absent, except where it decides what is answered.
  {
    place: 'header',
    at: /^GET \/rest/,
    except: ['a garbled Accept', 'a garbled profile', 'a backward Range'],
    why: 'garbled preferences and conditions count as absent',
  },
  {
    place: 'header',
    at: /^HEAD \/rest/,
    except: ['a garbled Accept', 'a garbled profile'],
    why: 'ranges are of GET alone',
  },
  { place: 'header', at: /^OPTIONS \/rest/, except: ['a garbled profile'], why: 'nothing is negotiated' },
  {
    place: 'header',
    at: /^(POST|PATCH|PUT|DELETE) \/rest/,
    except: ['a garbled Accept', 'a garbled profile'],
    why: 'ranges are of reads',
  },
  { place: 'header', at: FILES, except: ['a garbled X-Metadata'], why: 'such headers are of other dialects' },
  {
    place: 'header',
    at: /^(?!(POST|PUT) \/storage\/v1\/object\/open\/)\w+ \/(storage|realtime|health|nowhere)/,
    why: 'such headers are of other dialects',
  },
  // Content types.
  { place: 'type', at: /\/rest/, inputs: ['application/json; charset=utf-7'], why: 'JSON is UTF-8' },
  { place: 'type', at: TABLE_WRITES, inputs: ['text/csv'], why: 'the body is a header line without rows' },
  {
    place: 'type',
    at: FILES,
    except: [';;;', 'multipart/form-data', 'application/vnd.pgrst.object+json;;='],
    why: 'a file may be of any type that is one',
  },
  {
    place: 'type',
    at: /^(?!(POST|PUT) \/storage\/v1\/object\/open\/)\w+ \/storage/,
    except: [';;;'],
    why: 'bodies are read as JSON whatever they are called',
  },
  {
    place: 'type',
    at: /^POST \/realtime\/v1\/api\/broadcast/,
    inputs: ['application/json; charset=utf-7'],
    why: 'JSON is UTF-8',
  },
  {
    place: 'type',
    at: /^POST \/realtime\/v1\/api\/broadcast\/room/,
    inputs: ['text/plain'],
    why: 'a payload of plain text is a string',
  },
  // Segments of the path.
  {
    place: 'segment',
    at: /^POST \/storage\/v1\/object\/list/,
    inputs: [
      'an escaped NUL',
      'dots',
      'dots and a slash',
      'constructor',
      'a quote and a semicolon',
      'right-to-left',
      'an emoji',
      '__proto__',
    ],
    why: 'a bucket that nobody sees has an empty list',
  },
  {
    place: 'segment',
    at: /^POST \/storage\/v1\/object\/open\/folder/,
    inputs: ['__proto__', 'constructor', 'an emoji'],
    why: 'names like any other',
  },
  {
    place: 'segment',
    at: /^POST \/realtime\/v1\/api\/broadcast/,
    inputs: [
      'dots',
      'dots and a slash',
      '__proto__',
      'constructor',
      'a quote and a semicolon',
      'right-to-left',
      'an emoji',
    ],
    why: 'topics and events are any text',
  },
  {
    place: 'segment',
    at: /^POST \/realtime\/v1\/api\/broadcast\/room/,
    inputs: ['an escaped NUL'],
    why: 'events are any text',
  },
  // Texts in bodies.
  {
    place: 'text',
    at: /^(POST|PATCH) \/rest\/v1\/item.*"(text|doc|tags)"/,
    inputs: [...LEGAL_TEXTS, ...ANY_TYPE],
    why: 'columns of text and JSON take any text, and other values as their text',
  },
  { place: 'text', at: /\/rest\/v1\/item.*"n"/, inputs: ['a number'], why: 'a number' },
  { place: 'text', at: /\/rest\/v1\/rpc/, inputs: [...LEGAL_TEXTS, ...ANY_TYPE], why: 'text and JSON take anything' },
  {
    place: 'text',
    at: /^(DELETE \/storage\/v1\/object\/open .*prefixes|POST \/storage\/v1\/object\/list.*("prefix":"\*"|"search"))/,
    inputs: [...LEGAL_TEXTS, ...UNSTORABLE],
    why: 'what cannot exist is not there',
  },
  { place: 'text', at: /object\/list\/open .*"limit"/, inputs: ['a number'], why: 'a number' },
  {
    place: 'text',
    at: /object\/list\/open .*sortBy/,
    except: ['1 MB of text'],
    why: 'an unknown order counts as none',
  },
  { place: 'text', at: /object\/copy .*"destinationKey":"\*"/, inputs: NAMES, why: 'names like any other' },
  { place: 'text', at: /object\/sign\/open\/there.txt/, inputs: ['a number'], why: 'a number' },
  {
    place: 'text',
    at: /object\/sign\/open .*paths/,
    inputs: [...LEGAL_TEXTS, ...UNSTORABLE],
    why: 'each path has an answer of its own',
  },
  {
    place: 'text',
    at: /broadcast .*"topic":"\*","event":"e","payload":\{\}\}/,
    inputs: [...NAMES, 'right-to-left text', 'a lone surrogate', 'a surrogate pair the wrong way round'],
    why: 'a topic is any text of a length',
  },
  {
    place: 'text',
    at: /broadcast .*"event":"\*"/,
    inputs: [...LEGAL_TEXTS, ...UNSTORABLE],
    why: 'an event is any text',
  },
  {
    place: 'text',
    at: /broadcast .*"payload":"\*"/,
    inputs: [...LEGAL_TEXTS, ...UNSTORABLE, ...ANY_TYPE],
    why: 'a payload is any JSON',
  },
]

/** An endpoint as the table names it. */
export const nameOf = ({ method, path, body }: Endpoint): string =>
  `${method} ${path}${body === undefined ? '' : ` ${body}`}`

export const isLegitimate = (endpoint: Endpoint, place: Place, input: string): boolean =>
  LEGITIMATE.some(
    (each) =>
      each.place === place &&
      each.at.test(place === 'text' ? nameOf(endpoint) : `${endpoint.method} ${endpoint.path}`) &&
      (each.inputs === undefined || each.inputs.includes(input)) &&
      !each.except?.includes(input),
  )
