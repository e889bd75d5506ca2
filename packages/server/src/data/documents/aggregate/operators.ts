/** All expressions, in one table. */

import { DocumentError } from '../errors.ts'
import { OVER_ARRAYS } from './accumulators.ts'
import { ARRAYS } from './arrays.ts'
import { CONVERSION } from './convert.ts'
import { DATES } from './dates.ts'
import { type Compile, compiler, type Operators } from './expression.ts'
import { LOGIC } from './logic.ts'
import { ARITHMETIC } from './numbers.ts'
import { STRINGS } from './strings.ts'

/** Text search needs an index that documents do not have. */
const META: Operators = {
  $meta: () => {
    throw new DocumentError('unsupported', '$meta needs a text index, and there are none')
  },
}

export const EXPRESSIONS: Operators = {
  ...ARITHMETIC,
  ...ARRAYS,
  ...CONVERSION,
  ...DATES,
  ...LOGIC,
  ...OVER_ARRAYS,
  ...STRINGS,
  ...META,
}

/** Compiles an expression. Throws DocumentError on what it cannot be. */
export const compileExpression: Compile = compiler(EXPRESSIONS)
