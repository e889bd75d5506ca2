/** One round: people write and listen, things go wrong, everything comes to rest, and the ledgers are judged. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { until } from '../support/until.ts'
import { check, type Verdict } from './checker.ts'
import type { Fault } from './faults.ts'
import { BatchWriter, Herald, Steward } from './groups.ts'
import type { Ledgers, Wanted } from './ledger.ts'
import { type Random, randomFrom } from './random.ts'
import { emptyTables, isSettled, readCommitted, readFinalRows } from './schema.ts'
import type { Stage } from './stage.ts'
import { Subscriber } from './subscriber.ts'
import { RestWriter, SqlWriter, type Writer, type WriterOptions } from './writers.ts'

export interface Round {
  readonly seed: number
  readonly faults: readonly string[]
  readonly verdict: Verdict
  readonly seconds: number
  /** What happened when, for whoever looks into a violation. */
  readonly moments: readonly string[]
}

const SUBSCRIBERS = 10
const ROOMS = [1, 2, 3, 4] as const
const USERS = [1, 2, 3, 4, 5].map((n) => `00000000-0000-4000-8000-00000000000${n}`)
/** Acknowledged writes before, between and after the faults. */
const WRITES_PER_PHASE = 100
/** Where several faults follow each other. */
const WRITES_PER_FAULT = 40
const FENCE_EVERY_MS = 500
const RESTS_WITHIN = { within: 40_000, every: 50 }
/** More than the server keeps for a reader that does not read: its queue, and what the kernels hold. */
const BULK = { count: 400, bytes: 60_000 }

const everything = (random: Random): readonly Wanted[] => {
  const posts: Wanted = random.chance(0.3) ? { table: 'post', room: random.pick(ROOMS) } : { table: 'post' }
  return [{ table: 'note' }, posts, { table: 'member' }, { table: 'score' }, { table: 'fence' }]
}

/** Ids are given once, also over the rounds of one stage: what an earlier round wrote is told apart. */
let newestId = 0

class Population {
  readonly herald: Herald
  readonly steward: Steward
  readonly writers: readonly Writer[]
  readonly subscribers: readonly Subscriber[]

  constructor(stage: Stage, random: Random, reads: { readonly bulk: boolean }) {
    const [first = '', ...others] = USERS
    const scores = [++newestId, ++newestId, ++newestId] as const
    const { report } = stage
    const common = { restUrl: stage.restUrl, anonKey: report.anonKey, jwtSecret: report.jwtSecret }
    const options = (name: string): WriterOptions => ({
      ...common,
      name,
      random: random.fork(name),
      nextId: () => ++newestId,
      users: [first, ...others],
      rooms: ROOMS,
      scores,
      serviceKey: report.serviceKey,
      databaseUrl: stage.databaseUrl,
    })
    this.herald = new Herald(options('herald'))
    this.steward = new Steward(options('steward'))
    this.writers = [
      ...['rest 1', 'rest 2', 'rest 3'].map((name) => new RestWriter(options(name))),
      ...['sql 1', 'sql 2'].map((name) => new SqlWriter(options(name))),
      new BatchWriter(options('batch')),
      this.steward,
    ]
    this.subscribers = Array.from({ length: SUBSCRIBERS }, (_, index) => {
      const name = `subscriber ${index + 1}`
      const own = random.fork(name)
      // The first two also get the large rows: one of them will not read them.
      const wanted = reads.bulk && index < 2 ? [{ table: 'fence' }, { table: 'bulk' }] : everything(own)
      return new Subscriber({
        ...common,
        name,
        user: USERS[index % USERS.length] ?? first,
        vsn: index % 2 === 0 ? '1.0.0' : '2.0.0',
        wanted,
        socketUrl: stage.socketUrl,
        random: own,
      })
    })
  }

  get acknowledged(): number {
    return this.writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0)
  }

  /** Until so many more writes were acknowledged. */
  async write(count: number): Promise<void> {
    const enough = this.acknowledged + count
    await until('enough was written', () => this.acknowledged >= enough, RESTS_WITHIN)
  }
}

/** Plays one round and judges it. */
export const playRound = async (stage: Stage, faults: readonly Fault[], seed: number): Promise<Round> => {
  const began = performance.now()
  const random = randomFrom(seed)
  const moments: string[] = []
  const log = (what: string) => moments.push(`${Math.round(performance.now())} ${what}`)
  log('begins')
  const phase = faults.length > 1 ? WRITES_PER_FAULT : WRITES_PER_PHASE
  const clock = monitorEventLoopDelay({ resolution: 20 })
  clock.enable()
  const people = new Population(stage, random, { bulk: faults.some(({ name }) => name === 'slow reader') })
  const { herald, steward, writers, subscribers } = people
  try {
    await empty(stage)
    await herald.prepare()
    await steward.prepare()
    for (const subscriber of subscribers) subscriber.start()
    for (const writer of writers) writer.start()
    const most = subscribers.length * 0.7
    await until('most people listen', () => subscribers.filter(({ joined }) => joined).length > most, RESTS_WITHIN)
    for (const [index, fault] of faults.entries()) {
      const own = random.fork(`fault ${index}`)
      await people.write(own.between(phase / 2, phase))
      log(`${fault.name} begins`)
      await fault.happen({ stage, random: own, starveOneReader: () => starve(people) })
      log('the fault is over')
      await until('the server is well again', () => stage.healthy(), RESTS_WITHIN)
      log('the server is well again')
    }
    await people.write(phase)
    await Promise.all(writers.map((writer) => writer.stop()))
    const { stuck, settled } = await comeToRest(stage, people)
    const verdict = await judge(stage, people, { settled, delay: clock.max / 1e6 })
    const seconds = (performance.now() - began) / 1000
    const names = faults.map(({ name }) => name)
    return { seed, faults: names, seconds, moments, verdict: { ...verdict, lost: [...verdict.lost, ...stuck] } }
  } finally {
    clock.disable()
    await Promise.all([...writers, herald].map((writer) => writer.stop()))
    await Promise.all(subscribers.map((subscriber) => subscriber.stop()))
  }
}

const empty = async (stage: Stage): Promise<void> => {
  const client = await stage.connect()
  await emptyTables(client)
  await client.end()
}

const starve = async ({ subscribers, herald }: Population): Promise<void> => {
  const [slow] = subscribers
  await until('the slow reader has joined', () => slow?.joined, RESTS_WITHIN)
  slow?.pause()
  await herald.bulk(BULK.count, BULK.bytes)
  slow?.resume()
}

/** Waits until nothing is under way, and every subscriber was told of something later than all of it. */
const comeToRest = async (
  stage: Stage,
  { herald, subscribers }: Population,
): Promise<{ stuck: readonly string[]; settled: number }> => {
  const observer = await stage.connect()
  await until('nothing is under way', () => isSettled(observer), RESTS_WITHIN)
  await observer.end()
  const settled = performance.now()
  for (const subscriber of subscribers) subscriber.calm()
  const late = () => subscribers.filter((subscriber) => !subscriber.isUpToDate(herald.newest.id))
  const rested = until(
    'everybody is up to date',
    async () => {
      // Whoever joins late needs one more fence.
      if (late().length > 0 && performance.now() - herald.newest.at > FENCE_EVERY_MS) await herald.fence()
      return late().length === 0
    },
    { within: RESTS_WITHIN.within, every: 50 },
  )
  const stuck = await rested.then(
    () => [],
    () => late().map((subscriber) => `never up to date again: ${subscriber.describe()}`),
  )
  return { stuck, settled }
}

const judge = async (
  stage: Stage,
  { writers, herald, subscribers }: Population,
  times: Pick<Ledgers, 'settled' | 'delay'>,
): Promise<Verdict> => {
  await Promise.all(subscribers.map((subscriber) => subscriber.stop()))
  const client = await stage.connect()
  const committed = await readCommitted(client)
  const final = await readFinalRows(client)
  await client.end()
  return check({
    writes: [...writers, herald].flatMap(({ writes }) => writes),
    committed,
    final,
    ...times,
    subscriptions: subscribers.flatMap(({ subscriptions }) => subscriptions),
  })
}
