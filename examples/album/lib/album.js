// The album on the screen: rows of the table, each once, newest first, in days.
import { backend } from './backend'
import { dayLabel, length } from './show'

const TILE = { width: 240, height: 240, resize: 'cover', quality: 75 }

export class Album {
  constructor() {
    this.rows = []
  }

  /** What the server has now; whatever else was here is gone. */
  replace(rows) {
    this.rows = []
    this.add(rows)
  }

  add(rows) {
    for (const row of rows) if (!this.rows.some((each) => each.id === row.id)) this.rows.push(row)
    this.rows.sort((left, right) => new Date(right.created_at) - new Date(left.created_at) || right.id - left.id)
  }

  remove(id) {
    this.rows = this.rows.filter((each) => each.id !== id)
  }

  find(id) {
    return this.rows.find((each) => each.id === id)
  }

  count(kind) {
    return this.rows.filter((each) => each.kind === kind).length
  }

  /** Days with their tiles, as the page draws them. */
  days(now, words) {
    const days = []
    for (const row of this.rows) {
      const label = dayLabel(new Date(row.created_at), now, words)
      if (days.length === 0 || days[days.length - 1].label !== label) days.push({ label, tiles: [] })
      const picture = row.kind === 'image' ? row.path : row.cover
      days[days.length - 1].tiles.push({
        id: row.id,
        kind: row.kind,
        src: picture ? backend.resized(picture, TILE) : '',
        length: row.kind === 'video' && row.duration > 0 ? length(row.duration) : '',
      })
    }
    return days
  }
}
