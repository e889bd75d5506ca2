// The list on the screen: rows of the database and messages that are still on their way, in one order, each once.

/** Milliseconds of silence after which the time is shown again. */
const QUIET = 5 * 60 * 1000

export class Conversation {
  constructor() {
    this.rows = []
    this.outgoing = []
    this.counter = 0
  }

  /** The newest id that is here, 0 when there is none. */
  get lastId() {
    return this.rows.length === 0 ? 0 : this.rows[this.rows.length - 1].id
  }

  get firstId() {
    return this.rows.length === 0 ? 0 : this.rows[0].id
  }

  /** Adds rows that may be here already, in any order. A message of ours that arrives this way is no longer on its way. */
  add(rows) {
    for (const row of rows) {
      if (this.rows.some((each) => each.id === row.id)) continue
      this.rows.push(row)
      const sent = this.outgoing.findIndex((each) => each.name === row.username && each.text === row.text)
      if (sent >= 0) this.outgoing.splice(sent, 1)
    }
    this.rows.sort((left, right) => left.id - right.id)
  }

  /** Begins to send; the answer is what `confirm` or `fail` wants. */
  begin(role, text) {
    this.counter += 1
    const message = { key: `out${this.counter}`, name: role.name, colour: role.colour, text, state: 'sending' }
    this.outgoing.push(message)
    return message
  }

  confirm(message, row) {
    this.outgoing = this.outgoing.filter((each) => each !== message)
    this.add([row])
  }

  fail(message) {
    message.state = 'failed'
  }

  /** What the page draws. */
  view({ me, isPicture, label }) {
    let last = 0
    const stored = this.rows.map((row) => {
      const time = label.parse(row.timestamp)
      const shown = time.getTime() - last > QUIET ? label.format(time) : ''
      last = time.getTime()
      return {
        key: `m${row.id}`,
        name: row.username,
        colour: row.bgColor || '#a39780',
        text: row.text,
        label: shown,
        state: 'sent',
      }
    })
    return [...stored, ...this.outgoing].map((item) => ({
      ...item,
      initial: item.name.slice(0, 1),
      mine: item.name === me,
      picture: isPicture(item.text),
    }))
  }
}
