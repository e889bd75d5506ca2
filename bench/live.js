/** The change feed and realtime: from a commit to many sockets, what subscriptions cost, what the feed costs writers, and broadcast. */
import { startChild } from './lib/child.js'
import { connectionOf, postgresVersion, startProduct } from './lib/product.js'
import { broadcastSections } from './live-broadcast.js'
import { feedSections } from './live-feed.js'
import { memorySection } from './live-memory.js'
import { prepareMessages } from './live-schema.js'
import { subscriberSections } from './live-subscribers.js'

export const title = 'Live: changes, subscriptions, broadcast'

export const run = async (settings) => {
  const product = await startProduct()
  const children = []
  const child = async (path) => {
    const started = await startChild(path)
    children.push(started)
    return started
  }
  let postgres = ''
  const body = []
  try {
    postgres = await postgresVersion(product)
    await prepareMessages(product)
    const connection = await connectionOf(product)
    const bench = { product, connection, settings, child }
    body.push(...(await subscriberSections(bench)))
    body.push(...(await feedSections(bench)))
    body.push(...(await broadcastSections(bench)))
  } finally {
    await Promise.all(children.map((each) => each.stop()))
    await product.stop()
  }
  body.push(await memorySection(settings))
  return { postgres, body }
}
