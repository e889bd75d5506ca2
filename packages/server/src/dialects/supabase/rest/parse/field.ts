/** A field with its path into JSON: `data->address->>city`, `items->0`. */
import type { PathStep } from '../../../../expr/ast.ts'
import type { Scanner } from './scanner.ts'

export interface ParsedField {
  readonly name: string
  readonly path: readonly PathStep[]
}

export const parseField = (scanner: Scanner): ParsedField => ({ name: scanner.name(), path: parsePath(scanner) })

/** How many steps one path may take. */
const MAX_STEPS = 50

export const parsePath = (scanner: Scanner): readonly PathStep[] => {
  const steps: PathStep[] = []
  while (scanner.startsWith('->')) {
    const asText = scanner.startsWith('->>')
    scanner.require(asText ? '->>' : '->')
    if (steps.length >= MAX_STEPS) throw scanner.tooDeep()
    steps.push({ ...parseKey(scanner), asText })
  }
  return steps
}

const KEY_END = new Set([...'(-:.,>)'])
const INDEX_END = new Set(['', '-', ':', '.', ',', ')'])

const parseKey = (scanner: Scanner): Pick<PathStep, 'step' | 'value'> => {
  const start = scanner.position
  const sign = scanner.take('-') ? '-' : ''
  const digits = scanner.takeWhile((char) => char >= '0' && char <= '9')
  if (digits !== '' && digits.length <= 9 && INDEX_END.has(scanner.peek()))
    return { step: 'index', value: sign + digits }
  scanner.reset(start)
  return { step: 'key', value: keyName(scanner) }
}

const keyName = (scanner: Scanner): string => {
  const quoted = scanner.quoted()
  if (quoted !== null) return quoted
  const parts: string[] = []
  for (;;) {
    parts.push(scanner.takeWhile((char) => !KEY_END.has(char)))
    if (scanner.peek() !== '-' || scanner.peek(1) === '>' || parts.join('') === '') break
    scanner.require('-')
    parts.push('-')
  }
  const name = parts.join('').trim()
  if (name === '') throw scanner.unexpected('any non reserved character different from: .,>()')
  return name
}
