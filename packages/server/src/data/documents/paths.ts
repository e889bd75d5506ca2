/** Dotted paths of clients: what they may name, and what is out of reach. */
import { DocumentError } from './errors.ts'

const MAX_STEPS = 100

/** The steps of a dotted path. Throws `invalid_param` on an empty step. */
export const pathOf = (text: string): readonly string[] => {
  const steps = text.split('.')
  if (text === '' || steps.length > MAX_STEPS || text.includes('\0') || text.length > 2000)
    throw new DocumentError('invalid_param', 'this is not a path into a document')
  if (steps.includes('')) throw new DocumentError('invalid_param', `The path '${text}' has an empty field name`)
  return steps
}

/** The steps of a path that will be written to: no operators among them. */
export const writablePath = (text: string): readonly string[] => {
  const steps = pathOf(text)
  const odd = steps.find((step) => step.startsWith('$'))
  if (odd !== undefined)
    throw new DocumentError('invalid_param', `The dollar ($) prefixed field '${odd}' in '${text}' is not allowed`)
  return steps
}
