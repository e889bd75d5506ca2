/** Every Web API of the adapter against its standard, on a strict phone: in the Node realm, and in a page of Chromium. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildSdk } from '../../packages/sdk/scripts/bundle.js'
import { appDir, type CheckResult, runInChromium, runInRealm } from './checks-app.ts'
import { type Peer, startPeer } from './peer.ts'

let peer: Peer
beforeAll(async () => {
  await buildSdk()
  peer = await startPeer()
})
afterAll(() => peer.stop())

// The suites by the app's own list: a result that is missing is a failure.
const suites = [...readFileSync(`${appDir}/checks/index.js`, 'utf8').matchAll(/require\('\.\/([\w-]+)'\)/g)].map(
  (match) => match[1] ?? '',
)

const places: Readonly<Record<string, (peer: string) => Promise<readonly CheckResult[]>>> = {
  'the Node realm': runInRealm,
  'a page of Chromium': runInChromium,
}

describe.each(Object.keys(places))('in %s', (place) => {
  let results: readonly CheckResult[] = []
  beforeAll(async () => {
    results = (await places[place]?.(peer.url)) ?? []
  })

  it.each(suites)('%s', (suite) => {
    const mine = results.filter((result) => result.suite === suite)
    expect(mine.length).toBeGreaterThan(0)
    expect(mine.filter((result) => result.error !== null)).toEqual([])
  })
})
