/** "Perhaps you meant": the most similar of some names, by shared two- and three-letter pieces, then by edit distance. Pure. */

const MIN_SCORE = 0.33
const MAX_NAME = 200
const CANDIDATES = 50

/** The best match that is similar enough, else null. */
export const mostSimilar = (wanted: string, names: Iterable<string>): string | null => {
  const target = wanted.slice(0, MAX_NAME).toLowerCase()
  const all = [...new Set(names)].map((name) => ({ name, folded: name.slice(0, MAX_NAME).toLowerCase() }))
  for (const size of [3, 2]) {
    const best = bestBySize(target, all, size)
    if (best !== null) return best
  }
  return null
}

interface Candidate {
  readonly name: string
  readonly folded: string
}

const bestBySize = (target: string, all: readonly Candidate[], size: number): string | null => {
  const pieces = piecesOf(target, size)
  const scored = all
    .map(({ name, folded }) => ({ name, folded, score: cosine(pieces, piecesOf(folded, size)) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, CANDIDATES)
    .map(({ name, folded }) => ({
      name,
      score: 1 - editDistance(target, folded) / Math.max(target.length, folded.length),
    }))
    .filter(({ score }) => score >= MIN_SCORE)
    .sort((a, b) => b.score - a.score)
  return scored[0]?.name ?? null
}

const piecesOf = (name: string, size: number): ReadonlyMap<string, number> => {
  const bounded = `-${name.replaceAll(/[^\p{L}\p{N}, ]+/gu, '')}-`.padEnd(size, '-')
  const pieces = new Map<string, number>()
  for (let at = 0; at + size <= bounded.length; at += 1) {
    const piece = bounded.slice(at, at + size)
    pieces.set(piece, (pieces.get(piece) ?? 0) + 1)
  }
  return pieces
}

const cosine = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number => {
  let shared = 0
  for (const [piece, count] of a) shared += count * (b.get(piece) ?? 0)
  return shared === 0 ? 0 : shared / (norm(a) * norm(b))
}

const norm = (pieces: ReadonlyMap<string, number>): number =>
  Math.sqrt([...pieces.values()].reduce((sum, count) => sum + count * count, 0))

/** Levenshtein's distance, every edit costing one. */
export const editDistance = (a: string, b: string): number => {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}

const MAX_COLUMN_DISTANCE = 3

/** The column that Postgres itself would suggest for an unknown one: at most three edits away, and fewer than half of the name. */
export const similarColumn = (wanted: string, names: Iterable<string>): string | null => {
  let best: string | null = null
  let distance = MAX_COLUMN_DISTANCE + 1
  for (const name of names) {
    const found = editDistance(wanted, name)
    if (found < distance) {
      distance = found
      best = name
    } else if (found === distance) {
      best = null
    }
  }
  return best !== null && distance <= wanted.length / 2 ? best : null
}
