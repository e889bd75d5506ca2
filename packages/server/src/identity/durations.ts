/** Durations as Go writes them: `24h`, `1h30m`, `300ms`. */

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
}

/** Seconds; null for a text that is no duration. */
export const parseDuration = (text: string): number | null => {
  if (text.length > 64) return null
  if (text === '0') return 0
  const sign = text.startsWith('-') ? -1 : 1
  const parts = [...text.replace(/^[+-]/, '').matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)]
  const read = parts.map(([whole]) => whole).join('')
  if (parts.length === 0 || read !== text.replace(/^[+-]/, '')) return null
  const seconds = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ''] ?? 0), 0)
  return Number.isFinite(seconds) ? sign * seconds : null
}
