/** What goes wrong in a run. Each fault happens while everybody writes and listens, at a moment that chance decides. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from './random.ts'
import type { Stage } from './stage.ts'

export interface Scene {
  readonly stage: Stage
  readonly random: Random
  /** Makes one subscriber stop reading, writes more than it may be behind, and lets it read again. */
  readonly starveOneReader: () => Promise<void>
}

export interface Fault {
  readonly name: string
  readonly on: 'embedded' | 'external'
  /** Part of the one round of every test run. */
  readonly inOneRound?: true
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
  { name: 'PostgreSQL killed', on: 'external', happen: ({ stage }) => stage.killPostgres() },
  { name: 'server and PostgreSQL killed', on: 'external', happen: killBoth },
  { name: 'slot dropped', on: 'external', happen: ({ stage }) => stage.dropSlot(), inOneRound: true },
  { name: 'slot dropped while the server is away', on: 'external', happen: dropSlotWhileAway },
  { name: 'sockets cut', on: 'external', happen: cutSockets, inOneRound: true },
  { name: 'sockets stalled', on: 'external', happen: stallSockets },
  { name: 'server and PostgreSQL partitioned', on: 'external', happen: partition },
  { name: 'server and PostgreSQL stalled', on: 'external', happen: stall },
  { name: 'slow reader', on: 'external', happen: ({ starveOneReader }) => starveOneReader() },
]
