/**
 * Regular expressions of clients: a subset that both PostgreSQL and this module decide in the same way and in linear time.
 *
 * A backtracking engine (JavaScript's own) can be made to run for hours by one short pattern, so no pattern of a client ever reaches it.
 * Look-around, back references and Unicode classes are refused; lazy quantifiers are read as greedy ones, which find the same texts.
 */

/** A pattern that was read and is safe to run. */
export interface Pattern {
  readonly source: string
  readonly options: string
  readonly tree: Node
  readonly multiline: boolean
}

type Range = readonly [from: number, to: number]

export type Node =
  | { readonly kind: 'set'; readonly negated: boolean; readonly ranges: readonly Range[] }
  | { readonly kind: 'start' | 'end' | 'boundary' | 'inside' }
  | { readonly kind: 'sequence' | 'choice'; readonly items: readonly Node[] }
  | { readonly kind: 'repeat'; readonly item: Node; readonly min: number; readonly max: number | null }

/** Why a pattern is refused. */
export class PatternError extends Error {}

const MAX_LENGTH = 1000
const MAX_REPEAT = 255
/** Copies that bounded repetitions unfold into. */
const MAX_PROGRAM = 20_000

const DIGIT: readonly Range[] = [[48, 57]]
const WORD: readonly Range[] = [[48, 57], [65, 90], [95, 95], [97, 122]] // biome-ignore format: four ranges are one line
const SPACE: readonly Range[] = [[9, 13], [32, 32]] // biome-ignore format: two ranges are one line
const CLASSES: Readonly<Record<string, readonly [readonly Range[], boolean]>> = {
  d: [DIGIT, false],
  D: [DIGIT, true],
  w: [WORD, false],
  W: [WORD, true],
  s: [SPACE, false],
  S: [SPACE, true],
}
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, e: 27, a: 7 }

/** Reads a pattern. Throws PatternError. Options: `i`, `m`, `s`; `g`, `u` and `y` mean nothing here. */
export const readPattern = (source: string, options: string): Pattern => {
  if (source.length > MAX_LENGTH) throw new PatternError(`a pattern has at most ${MAX_LENGTH} characters`)
  if (/[^imsguy]/.test(options)) throw new PatternError(`the option "${options}" of a pattern is not supported`)
  const reader = new Reader(source, options.includes('i'), options.includes('s'))
  const tree = reader.readAll()
  if (sizeOf(tree) > MAX_PROGRAM) throw new PatternError('the pattern repeats too much')
  return { source, options, tree, multiline: options.includes('m') }
}

export const samePattern = (pattern: Pattern, source: string, options: string): boolean =>
  pattern.source === source && pattern.options === options

class Reader {
  readonly #chars: readonly string[]
  readonly #ignoreCase: boolean
  readonly #dotAll: boolean
  #at = 0
  #depth = 0

  constructor(source: string, ignoreCase: boolean, dotAll: boolean) {
    this.#chars = [...source]
    this.#ignoreCase = ignoreCase
    this.#dotAll = dotAll
  }

  readAll(): Node {
    const tree = this.#choice()
    if (this.#at < this.#chars.length) throw new PatternError('the pattern has a ")" too many')
    return tree
  }

  #peek(): string | undefined {
    return this.#chars[this.#at]
  }

  #take(): string {
    const char = this.#chars[this.#at]
    if (char === undefined) throw new PatternError('the pattern ends too early')
    this.#at += 1
    return char
  }

  #choice(): Node {
    this.#depth += 1
    if (this.#depth > 50) throw new PatternError('the pattern is nested too deeply')
    const items = [this.#sequence()]
    while (this.#peek() === '|') {
      this.#at += 1
      items.push(this.#sequence())
    }
    this.#depth -= 1
    return items.length === 1 && items[0] !== undefined ? items[0] : { kind: 'choice', items }
  }

  #sequence(): Node {
    const items: Node[] = []
    for (let char = this.#peek(); char !== undefined && char !== '|' && char !== ')'; char = this.#peek()) {
      items.push(this.#repeated(this.#atom()))
    }
    return { kind: 'sequence', items }
  }

  #repeated(item: Node): Node {
    const times = this.#times()
    if (times === null) return item
    if (['start', 'end', 'boundary', 'inside'].includes(item.kind)) throw new PatternError('there is nothing to repeat')
    // Laziness changes how much is taken, never whether there is a match.
    if (this.#peek() === '?') this.#at += 1
    if (this.#times() !== null || this.#peek() === '+') throw new PatternError('there is nothing to repeat')
    return { kind: 'repeat', item, ...times }
  }

  #times(): { min: number; max: number | null } | null {
    const char = this.#peek()
    if (char === '*' || char === '+' || char === '?') {
      this.#at += 1
      return { min: char === '+' ? 1 : 0, max: char === '?' ? 1 : null }
    }
    if (char !== '{') return null
    const bounds = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.#chars.slice(this.#at, this.#at + 12).join(''))
    if (bounds === null) return null
    const [all, min = '', several, max = ''] = bounds
    const limits = { min: Number(min), max: several === undefined ? Number(min) : max === '' ? null : Number(max) }
    if (limits.min > MAX_REPEAT || (limits.max ?? 0) > MAX_REPEAT || (limits.max ?? limits.min) < limits.min)
      throw new PatternError(`a pattern repeats at most ${MAX_REPEAT} times`)
    this.#at += all.length
    return limits
  }

  #atom(): Node {
    const char = this.#take()
    switch (char) {
      case '.':
        return { kind: 'set', negated: true, ranges: this.#dotAll ? [] : [[10, 10]] }
      case '^':
        return { kind: 'start' }
      case '$':
        return { kind: 'end' }
      case '(':
        return this.#group()
      case '[':
        return this.#set()
      case '\\':
        return this.#escape()
      case '*':
      case '+':
      case '?':
        throw new PatternError('there is nothing to repeat')
      default:
        return this.#literal(char.codePointAt(0) ?? 0)
    }
  }

  #group(): Node {
    if (this.#peek() === '?') {
      this.#at += 1
      if (this.#take() !== ':') throw new PatternError('look-around and named groups are not supported in patterns')
    }
    const inner = this.#choice()
    if (this.#take() !== ')') throw new PatternError('the pattern lacks a ")"')
    // A group is one thing to repeat, whatever is in it.
    return { kind: 'sequence', items: [inner] }
  }

  #literal(code: number): Node {
    return { kind: 'set', negated: false, ranges: this.#bothCases([[code, code]]) }
  }

  #escape(): Node {
    const char = this.#take()
    if (char === 'b') return { kind: 'boundary' }
    if (char === 'B') return { kind: 'inside' }
    const named = Object.hasOwn(CLASSES, char) ? CLASSES[char] : undefined
    if (named !== undefined) return { kind: 'set', negated: named[1], ranges: named[0] }
    return this.#literal(this.#escapedCode(char))
  }

  #escapedCode(char: string): number {
    if (Object.hasOwn(CONTROLS, char)) return CONTROLS[char] ?? 0
    if (char === 'x' || char === 'u') {
      const length = char === 'x' ? 2 : 4
      const hex = this.#chars.slice(this.#at, this.#at + length).join('')
      if (!new RegExp(`^[0-9a-fA-F]{${length}}$`).test(hex)) throw new PatternError(`\\${char} lacks its digits`)
      this.#at += length
      const code = Number.parseInt(hex, 16)
      if (code === 0) throw new PatternError('text never holds NUL')
      return code
    }
    if (/[0-9A-Za-z]/.test(char)) throw new PatternError(`\\${char} is not supported in patterns`)
    return char.codePointAt(0) ?? 0
  }

  #set(): Node {
    const negated = this.#peek() === '^'
    if (negated) this.#at += 1
    const ranges: Range[] = []
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      if (first && this.#peek() === ']') throw new PatternError('a set in a pattern is empty')
      const from = this.#setItem(ranges)
      if (from === null) continue
      if (this.#peek() !== '-' || this.#chars[this.#at + 1] === ']') {
        ranges.push([from, from])
        continue
      }
      this.#at += 1
      const to = this.#setItem([])
      if (to === null || to < from) throw new PatternError('a range in a pattern is upside down')
      ranges.push([from, to])
    }
    this.#at += 1
    return { kind: 'set', negated, ranges: this.#bothCases(ranges) }
  }

  /** One character of a set; null when it was a class, which goes into `ranges`. */
  #setItem(ranges: Range[]): number | null {
    const char = this.#take()
    if (char === '[' && /[:.=]/.test(this.#peek() ?? '')) throw new PatternError('named classes are not supported')
    if (char !== '\\') return char.codePointAt(0) ?? 0
    const escaped = this.#take()
    if (escaped === 'b') return 8
    const named = Object.hasOwn(CLASSES, escaped) ? CLASSES[escaped] : undefined
    if (named === undefined) return this.#escapedCode(escaped)
    ranges.push(...(named[1] ? complement(named[0]) : named[0]))
    return null
  }

  #bothCases(ranges: readonly Range[]): readonly Range[] {
    if (!this.#ignoreCase) return ranges
    const added = ranges.flatMap(([from, to]) => {
      const found: Range[] = []
      // Cased letters lie below U+1E943; a range that spans more than a script is a way of saying "any".
      for (let code = from; code <= Math.min(to, from + 3000); code += 1) {
        for (const other of casesOf(code)) found.push([other, other])
      }
      return found
    })
    return [...ranges, ...added]
  }
}

const casesOf = (code: number): readonly number[] => {
  const char = String.fromCodePoint(code)
  return [char.toLowerCase(), char.toUpperCase()].flatMap((other) => {
    const [only, ...more] = [...other]
    return more.length === 0 && only !== undefined && only !== char ? [only.codePointAt(0) ?? 0] : []
  })
}

const complement = (ranges: readonly Range[]): readonly Range[] => {
  const result: Range[] = []
  let from = 1
  for (const [low, high] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (low > from) result.push([from, low - 1])
    from = high + 1
  }
  return [...result, [from, 0x10ffff]]
}

const sizeOf = (node: Node): number => {
  if (node.kind === 'repeat') return (sizeOf(node.item) + 1) * Math.max(1, node.max ?? node.min + 1)
  if (node.kind === 'sequence' || node.kind === 'choice') return node.items.reduce((sum, item) => sum + sizeOf(item), 1)
  return 1
}

// --- for PostgreSQL

/** The pattern in PostgreSQL's own language. */
export const patternSql = ({ tree, multiline }: Pattern): string => `(?${multiline ? 'w' : 'c'})${nodeSql(tree)}`

const codeSql = (code: number): string => {
  const char = String.fromCodePoint(code)
  if (/[A-Za-z0-9]/.test(char)) return char
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
}

const WORD_SQL = '[A-Za-z0-9_]'

const nodeSql = (node: Node): string => {
  switch (node.kind) {
    case 'set':
      return setSql(node.negated, node.ranges)
    case 'start':
      return '^'
    case 'end':
      return '$'
    case 'boundary':
      return `(?:(?<=${WORD_SQL})(?!${WORD_SQL})|(?<!${WORD_SQL})(?=${WORD_SQL}))`
    case 'inside':
      return `(?:(?<=${WORD_SQL})(?=${WORD_SQL})|(?<!${WORD_SQL})(?!${WORD_SQL}))`
    case 'sequence':
      return `(?:${node.items.map(nodeSql).join('')})`
    case 'choice':
      return `(?:${node.items.map(nodeSql).join('|')})`
    case 'repeat':
      return `(?:${nodeSql(node.item)})${timesSql(node.min, node.max)}`
  }
}

const setSql = (negated: boolean, ranges: readonly Range[]): string => {
  const [only, ...others] = ranges
  if (only === undefined) return negated ? '(?:.|\\n)' : '(?!)'
  if (!negated && others.length === 0 && only[0] === only[1]) return codeSql(only[0])
  const items = ranges.map(([from, to]) => (from === to ? codeSql(from) : `${codeSql(from)}-${codeSql(to)}`))
  return `[${negated ? '^' : ''}${items.join('')}]`
}

const timesSql = (min: number, max: number | null): string => {
  if (max === null) return min === 0 ? '*' : min === 1 ? '+' : `{${min},}`
  return `{${min},${max}}`
}

// --- for JavaScript: all places of the pattern that a text may have come to, one character at a time

type Step =
  | { readonly kind: 'set'; readonly negated: boolean; readonly ranges: readonly Range[] }
  | { readonly kind: 'start' | 'end' | 'boundary' | 'inside' }
  | { readonly kind: 'fork'; readonly to: readonly number[] }
  | { readonly kind: 'done' }

const programs = new WeakMap<Node, readonly Step[]>()

const programOf = (tree: Node): readonly Step[] => {
  let program = programs.get(tree)
  if (program === undefined) {
    const steps: Step[] = []
    compile(tree, steps)
    steps.push({ kind: 'done' })
    program = steps
    programs.set(tree, program)
  }
  return program
}

const compile = (node: Node, steps: Step[]): void => {
  switch (node.kind) {
    case 'sequence':
      for (const item of node.items) compile(item, steps)
      return
    case 'choice':
      compileChoice(node.items, steps)
      return
    case 'repeat':
      compileRepeat(node, steps)
      return
    default:
      steps.push(node)
  }
}

const compileChoice = (items: readonly Node[], steps: Step[]): void => {
  const fork: number[] = []
  const ends: number[][] = []
  steps.push({ kind: 'fork', to: fork })
  for (const item of items) {
    fork.push(steps.length)
    compile(item, steps)
    const end: number[] = []
    ends.push(end)
    steps.push({ kind: 'fork', to: end })
  }
  for (const end of ends) end.push(steps.length)
}

const compileRepeat = (
  { item, min, max }: { readonly item: Node; readonly min: number; readonly max: number | null },
  steps: Step[],
): void => {
  for (let count = 0; count < min; count += 1) compile(item, steps)
  const exits: number[][] = []
  for (let count = min; count < (max ?? min + 1); count += 1) {
    const here = steps.length
    const fork = [here + 1]
    exits.push(fork)
    steps.push({ kind: 'fork', to: fork })
    compile(item, steps)
    if (max === null) steps.push({ kind: 'fork', to: [here] })
  }
  for (const exit of exits) exit.push(steps.length)
}

const isWord = (code: number | undefined): boolean => code !== undefined && inRanges(WORD, code)

const inRanges = (ranges: readonly Range[], code: number): boolean =>
  ranges.some(([from, to]) => code >= from && code <= to)

/** Whether the pattern is found somewhere in the text. */
export const matchesPattern = (pattern: Pattern, text: string): boolean => {
  const program = programOf(pattern.tree)
  const codes = Array.from(text, (char) => char.codePointAt(0) ?? 0)
  let current = new Set<number>()
  for (let at = 0; at <= codes.length; at += 1) {
    const open = new Set<number>()
    for (const place of [...current, 0]) if (follow(program, place, { codes, at, pattern, open })) return true
    const code = codes[at]
    current = new Set()
    if (code === undefined) return false
    for (const place of open) {
      const step = program[place]
      if (step?.kind === 'set' && inRanges(step.ranges, code) !== step.negated) current.add(place + 1)
    }
  }
  return false
}

interface Position {
  readonly codes: readonly number[]
  readonly at: number
  readonly pattern: Pattern
  /** Places that were visited at this position. */
  readonly open: Set<number>
}

/** Goes as far as possible without taking a character; answers whether that is the end. */
const follow = (program: readonly Step[], from: number, position: Position): boolean => {
  const waiting = [from]
  for (let place = waiting.pop(); place !== undefined; place = waiting.pop()) {
    if (position.open.has(place)) continue
    position.open.add(place)
    const step = program[place]
    if (step === undefined || step.kind === 'set') continue
    if (step.kind === 'done') return true
    if (step.kind === 'fork') waiting.push(...step.to)
    else if (assertion(step.kind, position)) waiting.push(place + 1)
  }
  return false
}

const assertion = (kind: 'start' | 'end' | 'boundary' | 'inside', { codes, at, pattern }: Position): boolean => {
  const [before, after] = [codes[at - 1], codes[at]]
  if (kind === 'start') return at === 0 || (pattern.multiline && before === 10)
  if (kind === 'end') return at === codes.length || (pattern.multiline && after === 10)
  return (isWord(before) !== isWord(after)) === (kind === 'boundary')
}
