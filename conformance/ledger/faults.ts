/** What goes wrong in a run. Each fault happens while everybody writes and listens, at a moment that chance decides. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Network } from './network.ts'
import type { Random } from './random.ts'
import type { Stage } from './stage.ts'
import type { TeamNode } from './team.ts'

export interface Scene {
  readonly stage: Stage
  readonly random: Random
  /** Makes one subscriber stop reading, writes more than it may be behind, and lets it read again. */
  readonly starveOneReader: () => Promise<void>
}

export interface Fault {
  readonly name: string
  readonly on: 'embedded' | 'external' | 'nodes'
  /** Part of the one round of every test run. */
  readonly inOneRound?: true
  /** Ends PostgreSQL itself, not only the way to it. */
  readonly killsPostgres?: true
  /** Resolves when the fault is over; what it broke may still be coming back. */
  happen(scene: Scene): Promise<void>
}

const moment = ({ random }: Scene, low: number, high: number): Promise<void> => delay(random.between(low, high))

const killServer = async (scene: Scene): Promise<void> => {
  await scene.stage.killServer()
  await scene.stage.startServer()
}

const partition = async (scene: Scene): Promise<void> => {
  const { database } = scene.stage
  database?.stall()
  await moment(scene, 300, 1_500)
  database?.close()
  await moment(scene, 0, 1_500)
  database?.open()
}

/** A stall that heals: nothing is lost on the way, everything is late. */
const stall = async (scene: Scene): Promise<void> => {
  scene.stage.database?.stall()
  await moment(scene, 300, 2_500)
  scene.stage.database?.open()
}

const cutSockets = async (scene: Scene): Promise<void> => {
  for (let times = scene.random.between(2, 5); times > 0; times--) {
    scene.stage.clients.cut(() => scene.random.chance(0.5))
    await moment(scene, 50, 600)
  }
}

const stallSockets = async (scene: Scene): Promise<void> => {
  scene.stage.clients.stall()
  await moment(scene, 200, 1_500)
  if (scene.random.chance(0.5)) scene.stage.clients.cut()
  scene.stage.clients.open()
}

const dropSlotWhileAway = async (scene: Scene): Promise<void> => {
  await scene.stage.killServer()
  await scene.stage.dropSlot()
  await scene.stage.startServer()
}

const killBoth = async (scene: Scene): Promise<void> => {
  await Promise.all([scene.stage.killServer(), scene.stage.killPostgres()])
  await scene.stage.startServer()
}

/** The node to which it happens; chance often meets the one that leads. */
const victim = ({ stage, random }: Scene): TeamNode => {
  const [first, ...others] = stage.nodes ?? []
  if (first === undefined) throw new Error('this fault needs several nodes')
  return random.pick([first, ...others])
}

const killNode = async (scene: Scene): Promise<void> => {
  const node = victim(scene)
  await node.kill()
  await moment(scene, 0, 1_000)
  await node.start()
}

/** Shorter and longer than it takes until a silent leader is replaced. */
const pauseNode = async (scene: Scene): Promise<void> => {
  const node = victim(scene)
  node.pause()
  await moment(scene, 500, 8_000)
  node.resume()
}

const cutOff = async (scene: Scene, network: Network): Promise<void> => {
  network.stall()
  await moment(scene, 300, 3_000)
  if (scene.random.chance(0.7)) network.close()
  await moment(scene, 0, 3_000)
  network.open()
}

/** Neither the others nor the database hear of it, and it hears of nobody; its clients still reach it. */
const isolate = async (scene: Scene): Promise<void> => {
  const { bus, database } = victim(scene)
  await Promise.all([cutOff(scene, bus), cutOff(scene, database)])
}

export const FAULTS: readonly Fault[] = [
  { name: 'none: people come and go', on: 'external', happen: (scene) => moment(scene, 500, 1_500) },
  { name: 'server killed, its own PostgreSQL', on: 'embedded', happen: killServer, inOneRound: true },
  { name: 'server killed', on: 'external', happen: killServer },
  {
    name: 'PostgreSQL killed, the server’s own',
    on: 'embedded',
    happen: ({ stage }) => stage.killPostgres(),
    inOneRound: true,
  },
  {
    name: 'PostgreSQL killed',
    on: 'external',
    happen: ({ stage }) => stage.killPostgres(),
    killsPostgres: true,
  },
  { name: 'server and PostgreSQL killed', on: 'external', happen: killBoth, killsPostgres: true },
  { name: 'slot dropped', on: 'external', happen: ({ stage }) => stage.dropSlot(), inOneRound: true },
  { name: 'slot dropped while the server is away', on: 'external', happen: dropSlotWhileAway },
  { name: 'sockets cut', on: 'external', happen: cutSockets, inOneRound: true },
  { name: 'sockets stalled', on: 'external', happen: stallSockets },
  { name: 'server and PostgreSQL partitioned', on: 'external', happen: partition },
  { name: 'server and PostgreSQL stalled', on: 'external', happen: stall },
  { name: 'slow reader', on: 'external', happen: ({ starveOneReader }) => starveOneReader() },
  { name: 'three nodes: one killed', on: 'nodes', happen: killNode },
  { name: 'three nodes: one paused', on: 'nodes', happen: pauseNode },
  { name: 'three nodes: one cut off from NATS', on: 'nodes', happen: (scene) => cutOff(scene, victim(scene).bus) },
  {
    name: 'three nodes: one cut off from PostgreSQL',
    on: 'nodes',
    happen: (scene) => cutOff(scene, victim(scene).database),
  },
  { name: 'three nodes: one isolated', on: 'nodes', happen: isolate },
  {
    name: 'three nodes: PostgreSQL killed',
    on: 'nodes',
    happen: ({ stage }) => stage.killPostgres(),
    killsPostgres: true,
  },
  { name: 'three nodes: slot dropped', on: 'nodes', happen: ({ stage }) => stage.dropSlot() },
]
