/** The adapter when the phone misbehaves as phones do: background, no network, ten requests, sockets that die unseen. */

import type * as Sdk from '@teahouse/sdk'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { buildSdk } from '../../packages/sdk/scripts/bundle.js'
import type { Realm } from '../../packages/simulator/src/realm/realm.ts'
import { until } from '../support/until.ts'
import { openRealm } from './checks-app.ts'
import { type Peer, startPeer } from './peer.ts'

let peer: Peer
let realm: Realm
let sdk: typeof Sdk
beforeAll(() => buildSdk())
beforeEach(async () => {
  peer = await startPeer()
  realm = await openRealm()
  // The package's own types, for what the app's module loader answers.
  sdk = realm.require('@teahouse/sdk') as typeof Sdk
})
afterEach(async () => {
  realm.close()
  await peer.stop()
})

/** Into the background for longer than the system lets connections live. */
const leave = async (ms = 8_000) => {
  realm.controls.setClock(1_800_000_000_000)
  realm.controls.goBackground()
  await realm.controls.advance(ms)
}
const comeBack = () => {
  realm.controls.setClock(null)
  realm.controls.goForeground()
}
/** How a promise ended, without waiting for it. */
const outcome = (promise: Promise<unknown>) => {
  const seen: { state: string; value: unknown } = { state: 'pending', value: null }
  promise.then(
    (value) => Object.assign(seen, { state: 'fulfilled', value }),
    (value: unknown) => Object.assign(seen, { state: 'rejected', value }),
  )
  return seen
}
const held = (path: string) => () => peer.arrived(path).length > 0 && peer.held > 0

describe('the background', () => {
  it('a read that it interrupts goes out again on return', async () => {
    const answer = sdk.fetch(`${peer.url}/held/read`)
    await until('the request arrived', held('/held/read'))
    await leave()
    comeBack()
    await until('it came again', () => peer.arrived('/held/read').length === 2)
    peer.release()
    expect((await answer).status).toBe(200)
  })

  it('a read is tried four times and no more', async () => {
    const answer = outcome(sdk.fetch(`${peer.url}/held/often`))
    for (let time = 1; time <= 4; time++) {
      await until(`attempt ${time}`, () => peer.arrived('/held/often').length === time)
      await leave()
      comeBack()
    }
    await until('it gave up', () => answer.state === 'rejected')
    expect(peer.arrived('/held/often').length).toBe(4)
  })

  it('a write without a key is not repeated: nobody knows whether it happened', async () => {
    const answer = outcome(sdk.fetch(`${peer.url}/held/write`, { method: 'POST', body: 'x' }))
    await until('the request arrived', held('/held/write'))
    await leave()
    comeBack()
    await until('it failed', () => answer.state === 'rejected')
    expect(answer.value).toMatchObject({ name: 'TypeError', interrupted: true })
    expect(peer.arrived('/held/write').length).toBe(1)
  })

  it('a queued write goes out again with the same key', async () => {
    const answer = sdk.createFetch({ queueWrites: true })(`${peer.url}/held/queued`, { method: 'POST', body: 'x' })
    await until('the request arrived', held('/held/queued'))
    await leave()
    comeBack()
    await until('it came again', () => peer.arrived('/held/queued').length === 2)
    peer.release()
    expect((await answer).status).toBe(200)
    const keys = peer.arrived('/held/queued').map((one) => one.headers['idempotency-key'])
    expect(keys[0]).toMatch(/^\w{6,}-\w{10,}$/)
    expect(keys[1]).toBe(keys[0])
  })

  it('a waiting read that is aborted ends at once', async () => {
    const controller = new sdk.AbortController()
    const answer = outcome(sdk.fetch(`${peer.url}/held/gone`, { signal: controller.signal }))
    await until('the request arrived', held('/held/gone'))
    await leave()
    controller.abort()
    comeBack()
    await until('it ended', () => answer.state === 'rejected')
    expect(answer.value).toMatchObject({ name: 'AbortError' })
  })
})

describe('no network', () => {
  it('reads and writes fail at once, as in a browser', async () => {
    realm.controls.setNetwork('none')
    await expect(sdk.fetch(`${peer.url}/echo`)).rejects.toMatchObject({ name: 'TypeError' })
    await expect(sdk.fetch(`${peer.url}/echo`, { method: 'POST' })).rejects.toMatchObject({ name: 'TypeError' })
  })

  it('queued writes wait for it, in their order, up to a limit', async () => {
    const queued = sdk.createFetch({ queueWrites: true, maxWaiting: 2 })
    realm.controls.setNetwork('none')
    await until('the adapter knows', () => !sdk.sharedRuntime().connectivity.isOnline)
    const answers = ['1', '2'].map((body) => queued(`${peer.url}/echo/q`, { method: 'POST', body }))
    await expect(queued(`${peer.url}/echo/q`, { method: 'POST', body: '3' })).rejects.toMatchObject({
      name: 'TypeError',
    })
    expect(peer.arrived('/echo/q').length).toBe(0)
    realm.controls.setNetwork('4g')
    expect((await Promise.all(answers)).map((answer) => answer.status)).toEqual([200, 200])
    expect(peer.arrived('/echo/q').map((one) => one.body)).toEqual(['1', '2'])
  })
})

describe('ten requests at once', () => {
  it('more wait for their turn, and none is refused by the phone', async () => {
    const answers = Array.from({ length: 40 }, (_, at) => sdk.fetch(`${peer.url}/echo?${at}`))
    expect((await Promise.all(answers)).every((answer) => answer.status === 200)).toBe(true)
    expect(peer.mostAtOnce).toBeLessThanOrEqual(10)
  })

  it('streams and long uploads leave room for everything else', async () => {
    const streams = Array.from({ length: 12 }, () => outcome(sdk.fetch(`${peer.url}/sse`, { stream: true })))
    await until('six streams are open', () => peer.openStreams === 6)
    const quick = await Promise.all(Array.from({ length: 8 }, () => sdk.fetch(`${peer.url}/echo`)))
    expect(quick.every((answer) => answer.status === 200)).toBe(true)
    expect(peer.openStreams).toBe(6)
    expect(streams.filter((stream) => stream.state === 'fulfilled').length).toBe(6)
  })

  it('a request that is aborted while it waits never goes out', async () => {
    const running = Array.from({ length: 10 }, () => sdk.fetch(`${peer.url}/held/full`))
    await until('ten are out', () => peer.held === 10)
    const controller = new sdk.AbortController()
    const waiting = outcome(sdk.fetch(`${peer.url}/echo/never`, { signal: controller.signal }))
    controller.abort()
    await until('it ended', () => waiting.state === 'rejected')
    peer.release()
    await Promise.all(running)
    await sdk.fetch(`${peer.url}/echo/last`)
    expect(peer.arrived('/echo/never').length).toBe(0)
  })
})

describe('sockets', () => {
  const open = async (options = {}) => {
    const Socket = sdk.createWebSocket(options)
    const socket = new Socket(peer.socketUrl)
    const closes: unknown[] = []
    const errors: unknown[] = []
    socket.onclose = (event) => closes.push(Reflect.get(event, 'code'))
    socket.onerror = () => errors.push('error')
    await until('the socket is open', () => socket.readyState === 1)
    return { Socket, socket, closes, errors }
  }

  it('after the background a socket is closed on return, once', async () => {
    const { socket, closes, errors } = await open()
    await leave()
    comeBack()
    await until('it is closed', () => closes.length > 0)
    expect([socket.readyState, closes, errors]).toEqual([3, [1006], ['error']])
    await until('the peer knows', () => peer.openSockets === 0)
  })

  it('a short visit to the background leaves it alone', async () => {
    const { socket, closes } = await open()
    await leave(3_000)
    comeBack()
    socket.send('still there')
    const [text] = await Promise.all([new Promise((resolve) => socket.addEventListener('message', resolve))])
    expect(text).toMatchObject({ data: 'still there' })
    expect(closes).toEqual([])
  })

  it('another network closes it at once: the old address is gone', async () => {
    const { closes } = await open()
    realm.controls.setNetwork('5g')
    await until('it is closed', () => closes.length > 0)
    expect(closes).toEqual([1006])
  })

  it('no network closes it', async () => {
    const { closes } = await open()
    realm.controls.setNetwork('none')
    await until('it is closed', () => closes.length > 0)
    expect(closes).toEqual([1006])
  })

  it('silence counts by the wall clock, and any message breaks it', async () => {
    realm.controls.setClock(1_800_000_000_000)
    const Socket = sdk.createWebSocket({ idleTimeout: 60_000 })
    const socket = new Socket(peer.socketUrl)
    const closes: unknown[] = []
    socket.onclose = (event) => closes.push(Reflect.get(event, 'code'))
    await until('open', async () => {
      await realm.controls.advance(0)
      return socket.readyState === 1
    })
    // In steps: a jump by itself would count as a freeze of the app.
    const pass = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 5_000) await realm.controls.advance(5_000)
    }
    await pass(50_000)
    let heard = false
    socket.onmessage = () => {
      heard = true
    }
    peer.broadcast('a sign')
    await until('heard', async () => {
      await realm.controls.advance(0)
      return heard
    })
    await pass(50_000)
    expect(closes).toEqual([])
    await pass(15_000)
    expect(closes).toEqual([1006])
  })

  it('many reconnections leave one socket at the peer', async () => {
    const { Socket } = await open()
    for (let time = 0; time < 12; time++) {
      const next = new Socket(peer.socketUrl)
      if (time % 3 === 0) await until('open', () => next.readyState === 1)
    }
    await until('one is left', () => peer.openSockets === 1)
  })
})

describe('event streams', () => {
  const listen = async () => {
    const source = new (sdk.webApis().EventSource)(`${peer.url}/sse`)
    const seen: unknown[] = []
    source.onmessage = (event) => seen.push(Reflect.get(event, 'data'))
    await until('it is open', () => source.readyState === 1 && peer.openStreams === 1)
    return { source, seen }
  }

  it('after the background they go on from the last event', async () => {
    const { source, seen } = await listen()
    peer.sendEvent('id: 41\ndata: 茶\n\n')
    await until('heard', () => seen.length === 1)
    await leave()
    comeBack()
    await until('it is open again', () => source.readyState === 1 && peer.arrived('/sse').length === 2)
    expect(peer.arrived('/sse')[1]?.headers['last-event-id']).toBe('41')
    peer.sendEvent('data: again\n\n')
    await until('heard again', () => seen.length === 2)
    source.close()
    await until('the peer is rid of it', () => peer.openStreams === 0)
  })

  it('after a cut they come back with the network', async () => {
    const { source } = await listen()
    realm.controls.setNetwork('none')
    await until('it noticed', () => source.readyState === 0)
    realm.controls.setNetwork('wifi')
    await until('it is open again', () => source.readyState === 1)
    expect(peer.openStreams).toBe(1)
    source.close()
  })
})
