/** Statements in one round trip and one transaction on stock `pg`: written for the bench, so that a fault of the product's own is not in the ceiling. */

export class OneSync {
  constructor(statements) {
    this.statements = statements
    this.rows = []
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  submit(wire) {
    wire.benchPrepared ??= new Set()
    wire.stream.cork()
    for (const { name, text, values } of this.statements) {
      if (!wire.benchPrepared.has(name)) wire.parse({ name, text })
      wire.benchPrepared.add(name)
      wire.bind({ statement: name, values })
      wire.execute({})
    }
    wire.sync()
    wire.stream.uncork()
    return null
  }

  handleRowDescription() {}

  handleDataRow({ fields }) {
    this.rows.push(fields)
  }

  handleCommandComplete() {}

  handleError(error) {
    this.reject(error)
  }

  handleReadyForQuery() {
    this.resolve(this.rows)
  }
}

/** Runs statements on a connection of the pool; answers all their rows. */
export const oneSync = async (pool, statements) => {
  const client = await pool.connect()
  try {
    const batch = new OneSync(statements)
    client.query(batch)
    return await batch.done
  } finally {
    client.release()
  }
}
