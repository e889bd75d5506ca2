/** A NATS server for tests, started as a child process on a free port. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'

export interface TestNats {
  readonly port: number
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

const PROGRAM = ['/usr/sbin/nats-server', '/usr/bin/nats-server', '/opt/homebrew/bin/nats-server'].find((path) =>
  existsSync(path),
)

/** A port that was free a moment ago. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer()
    probe.on('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })

const living = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

export const startNats = async (): Promise<TestNats> => {
  if (PROGRAM === undefined) {
    throw new Error('nats-server is not installed: run "npm test" once, or apt-get install nats-server')
  }
  const port = await freePort()
  const child = spawn(PROGRAM, ['--addr', '127.0.0.1', '--port', String(port)], { stdio: ['ignore', 'ignore', 'pipe'] })
  living.add(child)
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  ended.then(() => living.delete(child))
  await new Promise<void>((resolve, reject) => {
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('Server is ready')) resolve()
    })
    ended.then(() => reject(new Error(`nats-server ended:\n${said}`)))
  })
  return {
    port,
    url: `nats://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
