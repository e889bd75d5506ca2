/** The `order` parameter: `name.desc.nullslast`, `data->>year`, `client(name).asc`. */
import type { OrderTerm } from '../../../../data/query.ts'
import { parseField, parsePath } from './field.ts'
import { reworded } from './refusals.ts'
import { Scanner } from './scanner.ts'

export const parseOrder = (text: string): readonly OrderTerm[] =>
  reworded('order', text, () => {
    const scanner = new Scanner('order', text)
    const terms: OrderTerm[] = []
    do {
      scanner.skipBlanks()
      terms.push(parseTerm(scanner))
      scanner.skipBlanks()
    } while (scanner.take(','))
    scanner.finish('"," or end of input')
    return terms
  })

const parseTerm = (scanner: Scanner): OrderTerm => {
  const first = scanner.name()
  if (scanner.take('(')) {
    const field = parseField(scanner)
    scanner.require(')')
    return { relation: first, ...field, ...parseDirection(scanner) }
  }
  return { relation: null, name: first, path: parsePath(scanner), ...parseDirection(scanner) }
}

type Direction = Pick<OrderTerm, 'direction' | 'nulls'>

const parseDirection = (scanner: Scanner): Direction => {
  if (!scanner.take('.')) return { direction: null, nulls: null }
  const direction = scanner.take('asc') ? 'asc' : scanner.take('desc') ? 'desc' : null
  if (direction !== null && !scanner.take('.')) return { direction, nulls: null }
  if (scanner.take('nullsfirst')) return { direction, nulls: 'first' }
  if (scanner.take('nullslast')) return { direction, nulls: 'last' }
  throw scanner.unexpected(
    direction === null ? '"asc", "desc", "nullsfirst" or "nullslast"' : '"nullsfirst" or "nullslast"',
  )
}
