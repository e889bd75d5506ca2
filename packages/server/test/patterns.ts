/** Random regular expressions of the subset that clients may use, and texts to look into. */
import fc from 'fast-check'

const atom = fc.constantFrom('a', 'b', 'c', '1', ' ', '.', '\\d', '\\w', '\\s', '\\D', '\\W', '[ab]', '[^a]', '[a-c1]', '[^\\d]', '\\.', '\\n', '[\\]x-]') // biome-ignore format: one list
const assertion = fc.constantFrom('^', '$', '\\b', '\\B')
const times = fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,}', '{0,2}', '*?', '+?')

export const pattern: fc.Arbitrary<string> = fc.letrec<{ choice: string; sequence: string; piece: string }>((tie) => ({
  choice: fc.oneof({ weight: 3, arbitrary: tie('sequence') }, { weight: 1, arbitrary: fc.tuple(tie('sequence'), tie('sequence')).map((sides) => sides.join('|')) }), // biome-ignore format: one rule
  sequence: fc.array(tie('piece'), { maxLength: 4 }).map((pieces) => pieces.join('')),
  piece: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 6, arbitrary: fc.tuple(atom, times).map((parts) => parts.join('')) },
    { weight: 1, arbitrary: assertion },
    { weight: 2, arbitrary: fc.tuple(tie('choice'), fc.constantFrom('(', '(?:'), times).map(([inner, open, many]) => `${open}${inner})${many}`) }, // biome-ignore format: one rule
  ),
})).choice

export const patternText: fc.Arbitrary<string> = fc.array(fc.constantFrom('a', 'b', 'c', 'A', '1', ' ', '.', '\n', 'x', ']', '-', '_'), { maxLength: 8 }).map((chars) => chars.join('')) // biome-ignore format: one rule
