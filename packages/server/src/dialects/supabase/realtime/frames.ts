/** Frames that many sockets share: each message is written once per protocol version and topic, however many receive it. */
import type { Catalog } from '../../../db/catalog/catalog.ts'
import type { RowChange } from '../../../feed/change.ts'
import type { TopicMessage } from '../../../live/broadcast.ts'
import type { PresenceDiff, PresenceMeta, PresenceState } from '../../../live/presence.ts'
import type { Projection } from '../../../live/projection.ts'
import type { Frame } from '../../../sockets/frame.ts'
import { changeData } from './change-payload.ts'
import { encodeBroadcast, encodeFrame, type ProtocolVersion } from './codec.ts'

type PerVersion = Partial<Record<ProtocolVersion, Frame>>

/** Broadcasts and presence differences: the same object reaches every member, so it is the key. */
export class SharedFrames {
  readonly #broadcasts = new WeakMap<TopicMessage, PerVersion>()
  readonly #diffs = new WeakMap<PresenceDiff, PerVersion>()

  broadcast(topic: string, message: TopicMessage, version: ProtocolVersion): Frame {
    const known = entry(this.#broadcasts, message)
    known[version] ??= encodeBroadcast(
      topic,
      { event: message.event, payload: message.body, ...(message.meta && { meta: message.meta }) },
      version,
    )
    return known[version]
  }

  diff(topic: string, diff: PresenceDiff, version: ProtocolVersion): Frame {
    const known = entry(this.#diffs, diff)
    known[version] ??= Buffer.concat(
      diffTexts(diff, version).map((payload) =>
        encodeFrame({ joinRef: null, ref: null, topic, event: 'presence_diff', payload }, version),
      ),
    )
    return known[version]
  }
}

const entry = <K extends object>(map: WeakMap<K, PerVersion>, key: K): PerVersion => {
  let known = map.get(key)
  if (known === undefined) {
    known = {}
    map.set(key, known)
  }
  return known
}

/** JSON text of a presence state: `{key: {metas: [{phx_ref, …}]}}`. */
export const stateText = (state: PresenceState): string =>
  `{${[...state].map(([key, metas]) => `${JSON.stringify(key)}:{"metas":[${metas.map(metaText).join()}]}`).join()}}`

/**
 * The payloads of a difference. Clients of protocol 2 forget the refs of a key's other entries when the key gains or loses one (seen in 2.109:
 * its callbacks take the refs off the stored entries), and then never remove them. For such keys they are told a leave of all and a join of all.
 */
const diffTexts = ({ joins, leaves, changed }: PresenceDiff, version: ProtocolVersion): readonly string[] => {
  if (version === '1.0.0' || changed.size === 0) return [diffText(joins, leaves)]
  const before = new Map([...changed].map(([key, entry]) => [key, entry.before]))
  const after = new Map([...changed].map(([key, entry]) => [key, entry.after]))
  return [diffText(new Map(), new Map([...leaves, ...before])), diffText(new Map([...joins, ...after]), new Map())]
}

const diffText = (joins: PresenceState, leaves: PresenceState): string =>
  `{"joins":${stateText(joins)},"leaves":${stateText(leaves)}}`

const metaText = ({ ref, previous, payload }: PresenceMeta): string =>
  JSON.stringify({ ...payload, phx_ref: ref, ...(previous !== undefined && { phx_ref_prev: previous }) })

/** The frames of one row change. */
export class ChangeFrames {
  readonly #change: RowChange
  readonly #catalog: Catalog
  readonly #data = new Map<string, string>()
  readonly #frames = new Map<string, Frame>()

  constructor(change: RowChange, catalog: Catalog) {
    this.#change = change
    this.#catalog = catalog
  }

  get change(): RowChange {
    return this.#change
  }

  frame(topic: string, ids: readonly number[], projection: Projection, version: ProtocolVersion): Frame {
    const key = `${version}|${ids.join()}|${projection.key}|${topic}`
    let frame = this.#frames.get(key)
    if (frame === undefined) {
      const payload = `{"ids":[${ids.join()}],"data":${this.#dataOf(projection)}}`
      frame = encodeFrame({ joinRef: null, ref: null, topic, event: 'postgres_changes', payload }, version)
      this.#frames.set(key, frame)
    }
    return frame
  }

  #dataOf(projection: Projection): string {
    let data = this.#data.get(projection.key)
    if (data === undefined) {
      data = changeData(this.#change, projection, this.#catalog)
      this.#data.set(projection.key, data)
    }
    return data
  }
}
