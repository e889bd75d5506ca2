/** Identifiers that WeChat puts on its answers. */
import type { World } from '../world.ts'

const hex = (world: World, bytes: number): string => world.random.bytes(bytes).toString('hex')

const seconds = (world: World): string => Math.floor(world.clock.now() / 1000).toString(16)

/** The id of a request, at the end of every error's words. */
export const requestId = (world: World): string => `${seconds(world)}-${hex(world, 4)}-${hex(world, 4)}`

/** The id of a content check. */
export const traceId = (world: World): string => `${seconds(world)}-${hex(world, 4)}-${hex(world, 4)}`
