/** A program of the bench in a process of its own, called by name: the load generator must not share an event loop with what it measures. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const living = new Set()
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

/** Starts `bench/<path>`. `call(name, args)` runs one of the functions that the program gave to `serve`. */
export const startChild = async (path) => {
  const program = fileURLToPath(new URL(`../${path}`, import.meta.url))
  const child = fork(program, { serialization: 'advanced', execArgv: [] })
  living.add(child)
  const waiting = new Map()
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.on('message', ({ id, result, error }) => {
    const { resolve, reject } = waiting.get(id) ?? {}
    waiting.delete(id)
    if (error === undefined) resolve?.(result)
    else reject?.(new Error(`${path}: ${error}`))
  })
  ended.then((code) => {
    living.delete(child)
    for (const { reject } of waiting.values()) reject(new Error(`${path} ended with ${code}`))
  })
  let count = 0
  const call = (name, args = {}) =>
    new Promise((resolve, reject) => {
      count += 1
      waiting.set(count, { resolve, reject })
      child.send({ id: count, name, args })
    })
  const stop = async () => {
    if (child.connected) child.disconnect()
    await ended
  }
  return { pid: child.pid, call, stop }
}

/** In the child: answers calls until the parent is gone. */
export const serve = (functions) => {
  process.on('message', async ({ id, name, args }) => {
    try {
      process.send({ id, result: await functions[name](args) })
    } catch (error) {
      process.send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.once('disconnect', () => process.exit(0))
}
