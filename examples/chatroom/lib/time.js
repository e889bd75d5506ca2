// Times as people say them.

const two = (number) => String(number).padStart(2, '0')

/** The column has no time zone and the database runs in UTC. iOS reads only the ISO form with a `T`. */
export const parseTime = (text) => new Date(/[Z+]/.test(text) ? text : `${text.replace(' ', 'T')}Z`)

/** `14:05`, `昨天 14:05`, `11-20 14:05`. */
export const timeLabel = (date, now, words) => {
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`
  const day = (each) => new Date(each.getFullYear(), each.getMonth(), each.getDate()).getTime()
  const days = Math.round((day(now) - day(date)) / 86400000)
  if (days === 0) return words.today + clock
  if (days === 1) return words.yesterday + clock
  return `${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock}`
}
