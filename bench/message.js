/** Messages: from an insert to its event, what the feed costs writers, and fan-out to many sockets. */
import { startChild } from './lib/child.js'
import { connectionOf, postgresVersion, startProduct } from './lib/product.js'
import { broadcastSections } from './message-broadcast.js'
import { feedSections } from './message-feed.js'
import { prepareMessages } from './message-schema.js'

export const title = 'Messages: events, the change feed, broadcast'

export const run = async (settings) => {
  const product = await startProduct()
  const children = []
  const child = async (path) => {
    const started = await startChild(path)
    children.push(started)
    return started
  }
  try {
    const postgres = await postgresVersion(product)
    await prepareMessages(product)
    const connection = await connectionOf(product)
    const bench = { product, connection, settings, child }
    const feed = await feedSections(bench)
    const broadcast = await broadcastSections(bench)
    return { postgres, body: [...feed, ...broadcast] }
  } finally {
    await Promise.all(children.map((each) => each.stop()))
    await product.stop()
  }
}
