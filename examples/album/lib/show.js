// Values as people read them.

const two = (number) => String(number).padStart(2, '0')

/** `25.0 MB`, `640 KB`. */
export const bytes = (size) =>
  size < 1024 * 1024 ? `${Math.ceil(size / 1024)} KB` : `${(size / 1024 / 1024).toFixed(1)} MB`

/** `1:05`. */
export const length = (seconds) => `${Math.floor(seconds / 60)}:${two(seconds % 60)}`

export const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}`

/** `今天`, `昨天`, `11月20日`, and with its year when that is another. */
export const dayLabel = (date, now, words) => {
  const start = (each) => new Date(each.getFullYear(), each.getMonth(), each.getDate()).getTime()
  const days = Math.round((start(now) - start(date)) / 86400000)
  if (days <= 0) return words.today
  if (days === 1) return words.yesterday
  const label = words.day(date.getMonth() + 1, date.getDate())
  return date.getFullYear() === now.getFullYear() ? label : `${date.getFullYear()} ${label}`
}
