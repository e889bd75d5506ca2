// Values as people read them.

const two = (number) => String(number).padStart(2, '0')

/** `138 **** 8000`: enough to recognise one's own number. */
export const maskedPhone = (phone) => {
  const digits = (phone || '').replace(/^\+?86(?=1\d{10}$)/, '')
  return digits.length < 7 ? digits : `${digits.slice(0, -8)} **** ${digits.slice(-4)}`.trim()
}

/** The two ends of an identifier. */
export const shortened = (id) => (!id || id.length <= 14 ? id || '' : `${id.slice(0, 6)}…${id.slice(-6)}`)

/** `今天 14:05`, `昨天 14:05`, `2026-01-20`. */
export const when = (iso, now, words) => {
  if (!iso) return ''
  const date = new Date(iso)
  const day = (each) => new Date(each.getFullYear(), each.getMonth(), each.getDate()).getTime()
  const days = Math.round((day(now) - day(date)) / 86400000)
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`
  if (days === 0) return `${words.today} ${clock}`
  if (days === 1) return `${words.yesterday} ${clock}`
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}
