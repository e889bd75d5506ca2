/**
 * The processes of one node: warm ones wait for their function's next invocation, one spare waits for any function, and no function takes more
 * than its share. Who finds no process waits in line, for a bounded time.
 */
import type { Clock } from '../kernel/clock.ts'
import { singleFlight } from '../kernel/single-flight.ts'
import type { FunctionConfig } from './config.ts'
import { type Failure, failure } from './invocation.ts'
import { cleanSlot, type Ground, launch, slotOf } from './launch.ts'
import { FunctionProcess, type ProcessLog } from './process.ts'

export interface PoolLimits {
  /** Processes of this node. */
  readonly processes: number
  /** Bytes of a reply. */
  readonly reply: number
  /** Invocations that wait. */
  readonly queue: number
  /** Milliseconds that a process without work is kept. */
  readonly idle: number
}

/** One version of a function, ready to be loaded. */
export interface Runnable {
  /** Differs with every version and every change of variables. */
  readonly key: string
  readonly name: string
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  readonly config: FunctionConfig
}

interface Member {
  readonly process: FunctionProcess
  readonly runnable: Runnable
  busy: boolean
  idleSince: number
  log: (entry: ProcessLog) => void
  /** What was said while the code was loaded; it belongs to the first invocation. */
  readonly early: ProcessLog[]
}

interface Waiter {
  readonly runnable: Runnable
  /** Called from a function: may go beyond the limit, so that functions that wait for each other come to an end. */
  readonly nested: boolean
  readonly settle: (member: Member | Failure) => void
}

/** A process that was handed out. */
export interface Lease {
  readonly process: FunctionProcess
  /** Where what the process says goes while it is leased, and after. */
  onLog(listener: (entry: ProcessLog) => void): void
  release(): void
}

const SPARE_MEMORY = 256
const LOOK_EVERY_MS = 5_000

export class ProcessPool {
  readonly #ground: Ground
  readonly #limits: PoolLimits
  readonly #clock: Clock
  readonly #members = new Set<Member>()
  readonly #free: number[]
  readonly #waiters: Waiter[] = []
  #starting = 0
  readonly #startingOf = new Map<string, number>()
  #spare: FunctionProcess | null = null
  readonly #ensureSpare: () => Promise<void>
  #cancelLook = (): void => {}
  #stopped = false

  constructor(ground: Ground, limits: PoolLimits, clock: Clock) {
    this.#ground = ground
    this.#limits = limits
    this.#clock = clock
    // A quarter more for functions that are called by functions, and one for the spare.
    this.#free = Array.from({ length: limits.processes + this.#reserve + 1 }, (_, index) => index)
    this.#ensureSpare = singleFlight(() => this.#makeSpare())
    this.#look()
  }

  get #reserve(): number {
    return Math.max(2, Math.ceil(this.#limits.processes / 2))
  }

  /** Waits for a process that has loaded `runnable`. A failure when the code does not load or the line is too long. */
  async lease(
    runnable: Runnable,
    options: { readonly nested: boolean; readonly patience: number },
  ): Promise<Lease | Failure> {
    if (this.#stopped || this.#waiters.length >= this.#limits.queue) return busy()
    const member = await new Promise<Member | Failure>((resolve) => {
      const waiter: Waiter = {
        runnable,
        nested: options.nested,
        settle: (found) => {
          cancel()
          resolve(found)
        },
      }
      const cancel = this.#clock.after(options.patience, () => {
        const at = this.#waiters.indexOf(waiter)
        if (at === -1) return
        this.#waiters.splice(at, 1)
        resolve(busy())
      })
      this.#waiters.push(waiter)
      this.#pump()
    })
    if (!('process' in member)) return member
    return {
      process: member.process,
      onLog: (listener) => {
        for (const entry of member.early.splice(0)) listener(entry)
        member.log = listener
      },
      release: () => this.#release(member),
    }
  }

  /** Has a process ready for whichever function is invoked first. */
  async warm(): Promise<void> {
    await this.#ensureSpare()
  }

  /** Lets go of processes whose version is no longer the current one. */
  retire(isCurrent: (runnable: Runnable) => boolean): void {
    for (const member of this.#members) if (!member.busy && !isCurrent(member.runnable)) this.#discard(member)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelLook()
    for (const waiter of this.#waiters.splice(0)) waiter.settle(busy())
    const all = [...this.#members].map(({ process }) => process)
    if (this.#spare !== null) all.push(this.#spare)
    for (const process of all) process.kill()
    await Promise.all(all.map((process) => process.ended))
  }

  // --- who gets what

  #pump(): void {
    for (let at = 0; at < this.#waiters.length; ) {
      const waiter = this.#waiters[at]
      if (waiter === undefined) return
      const idle = this.#idleOf(waiter.runnable)
      if (idle !== undefined) {
        this.#waiters.splice(at, 1)
        idle.busy = true
        waiter.settle(idle)
      } else if (this.#mayStart(waiter)) {
        this.#waiters.splice(at, 1)
        void this.#start(waiter)
      } else {
        at += 1
      }
    }
  }

  #idleOf({ key }: Runnable): Member | undefined {
    for (const member of this.#members) {
      if (!member.busy && member.runnable.key === key && member.process.usable) return member
    }
    return undefined
  }

  #mayStart({ runnable, nested }: Waiter): boolean {
    const limit = this.#limits.processes + (nested ? this.#reserve : 0)
    const own = [...this.#members].filter((each) => each.runnable.name === runnable.name).length
    const share = Math.min(runnable.config.concurrency ?? Math.max(1, Math.ceil(limit / 2)), limit)
    if (own + (this.#startingOf.get(runnable.name) ?? 0) >= share) return false
    if (this.#members.size + this.#starting < limit) return true
    return this.#makeRoom()
  }

  /** Ends the process that has waited longest for work of another function. */
  #makeRoom(): boolean {
    const idle = [...this.#members].filter((each) => !each.busy).sort((a, b) => a.idleSince - b.idleSince)
    if (idle[0] === undefined) return false
    this.#discard(idle[0])
    return true
  }

  async #start(waiter: Waiter): Promise<void> {
    const { runnable } = waiter
    this.#starting += 1
    this.#startingOf.set(runnable.name, (this.#startingOf.get(runnable.name) ?? 0) + 1)
    try {
      waiter.settle(await this.#makeMember(runnable))
    } catch (error) {
      waiter.settle(
        failure(
          'crashed',
          `The function could not be started: ${error instanceof Error ? error.message : String(error)}`,
        ),
      )
    } finally {
      this.#starting -= 1
      this.#startingOf.set(runnable.name, (this.#startingOf.get(runnable.name) ?? 1) - 1)
      this.#pump()
    }
  }

  async #makeMember(runnable: Runnable): Promise<Member | Failure> {
    const { memory } = runnable.config
    const early: ProcessLog[] = []
    const log: { to: (entry: ProcessLog) => void } = { to: (entry) => early.push(entry) }
    const process = (memory === SPARE_MEMORY ? this.#takeSpare(log) : null) ?? (await this.#launch(memory, log))
    const problem = await process.load({
      type: 'load',
      folder: runnable.folder,
      entry: runnable.config.entry,
      env: runnable.env,
      limits: { reply: this.#limits.reply },
    })
    if (problem !== null) {
      process.kill()
      return problem
    }
    const member: Member = { process, runnable, busy: true, idleSince: 0, log: (entry) => early.push(entry), early }
    log.to = (entry) => member.log(entry)
    this.#members.add(member)
    void process.ended.then(() => {
      this.#members.delete(member)
      this.#pump()
    })
    if (memory === SPARE_MEMORY) void this.#ensureSpare()
    return member
  }

  async #launch(memory: number, log: { to: (entry: ProcessLog) => void }): Promise<FunctionProcess> {
    const number = this.#free.shift()
    if (number === undefined) throw new Error('there is no place for another process')
    const slot = slotOf(this.#ground, number)
    try {
      await cleanSlot(slot)
      const child = launch(this.#ground, slot, memory)
      const process = new FunctionProcess({
        child,
        slot,
        memory,
        maxReply: this.#limits.reply,
        clock: this.#clock,
        log: (entry) => log.to(entry),
      })
      void process.ended.then(() => this.#free.push(number))
      return process
    } catch (error) {
      this.#free.push(number)
      throw error
    }
  }

  // --- the spare

  async #makeSpare(): Promise<void> {
    if (this.#stopped || this.#spare !== null) return
    const process = await this.#launch(SPARE_MEMORY, { to: () => {} }).catch(() => null)
    if (process === null) return
    if (this.#stopped) return process.kill()
    this.#spare = process
    void process.ended.then(() => {
      if (this.#spare === process) this.#spare = null
    })
  }

  #takeSpare(log: { readonly to: (entry: ProcessLog) => void }): FunctionProcess | null {
    const spare = this.#spare
    if (spare === null || !spare.usable) return null
    this.#spare = null
    // From now on it speaks for its function.
    spare.redirect((entry) => log.to(entry))
    return spare
  }

  // --- afterwards

  #release(member: Member): void {
    member.busy = false
    member.idleSince = this.#clock.now()
    if (!member.process.usable || this.#stopped) this.#discard(member)
    this.#pump()
  }

  #discard(member: Member): void {
    this.#members.delete(member)
    member.process.kill()
  }

  #look(): void {
    this.#cancelLook = this.#clock.after(LOOK_EVERY_MS, () => {
      const oldest = this.#clock.now() - this.#limits.idle
      for (const member of this.#members) if (!member.busy && member.idleSince < oldest) this.#discard(member)
      this.#look()
    })
  }
}

const busy = (): Failure => failure('busy', 'Too many invocations are waiting')
