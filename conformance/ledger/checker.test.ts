/** The judge itself: a run in which nothing went wrong passes, and each kind of wrong that is planted is found. */
import { describe, expect, it } from 'vitest'
import { check, zeros } from './checker.ts'
import type { Committed, Delivery, FinalRow, Ledgers, Operation, Subscription, Write } from './ledger.ts'

const ANN = 'ann'
const BOB = 'bob'

/** A run that is written down by hand: one thing every ten milliseconds. */
class Run {
  readonly writes: Write[] = []
  readonly committed: Committed[] = []
  readonly final: FinalRow[] = []
  readonly subscriptions: Subscription[] = []
  now = 0

  write(table: string, id: number, op: Operation, version: number, extra: Partial<Committed> = {}): Delivery {
    this.now += 10
    const n = this.writes.length
    this.writes.push({
      writer: 'w',
      n,
      started: this.now,
      answered: this.now + 5,
      outcome: 'acknowledged',
      rows: [{ table, id, op }],
    })
    const seq = this.committed.length + 1
    this.committed.push({
      seq,
      xid: String(seq),
      table,
      id,
      op,
      version,
      owner: null,
      room: null,
      writer: 'w',
      n,
      ...extra,
    })
    return { at: this.now + 7, table, id, op, version: op === 'DELETE' ? null : version }
  }

  member(id: number, op: 'INSERT' | 'DELETE', owner: string, room: number): Delivery {
    return this.write('member', id, op, 1, { owner, room })
  }

  subscribe(user: string, deliveries: readonly Delivery[], joined = 1): Subscription {
    const subscription: Subscription = {
      client: `${user} ${this.subscriptions.length}`,
      user,
      wanted: ['post', 'note', 'score', 'fence'].map((table) => ({ table })),
      asked: joined - 1,
      joined,
      ended: 1_000_000,
      why: '',
      expires: Number.POSITIVE_INFINITY,
      deliveries: [...deliveries],
      held: new Map(),
    }
    this.subscriptions.push(subscription)
    return subscription
  }

  get verdict() {
    const ledgers: Ledgers = { ...this, settled: this.now + 100, delay: 0 }
    return check(ledgers)
  }

  get counts() {
    return zeros(this.verdict)
  }
}

/** Three versions of a row that everybody sees, then a fence. */
const threeScores = (): { run: Run; told: Delivery[] } => {
  const run = new Run()
  const told = [
    run.write('score', 1, 'INSERT', 1),
    run.write('score', 1, 'UPDATE', 2),
    run.write('score', 1, 'UPDATE', 3),
    run.write('fence', 9, 'INSERT', 1),
  ]
  return { run, told }
}

/** Somebody who is let into a room, hears a post, is put out, and must not hear the next one. */
const room = () => {
  const run = new Run()
  const grant = run.member(50, 'INSERT', ANN, 1)
  const inside = run.write('post', 1, 'INSERT', 1, { room: 1 })
  const revoke = run.member(50, 'DELETE', ANN, 1)
  const outside = run.write('post', 2, 'INSERT', 1, { room: 1 })
  const fence = run.write('fence', 9, 'INSERT', 1)
  return { run, grant, inside, revoke, outside, fence }
}

describe('the checker', () => {
  it('finds nothing where nothing is wrong', () => {
    const { run, told } = threeScores()
    run.subscribe(ANN, told)
    expect(run.counts).toEqual([0, 0, 0, 0, 0])
    expect(run.verdict.figures).toMatchObject({ writes: 4, deliveries: 4, required: 3, undecided: 0 })
  })

  describe('lost', () => {
    it('finds a version that was passed over', () => {
      const { run, told } = threeScores()
      run.subscribe(ANN, told.toSpliced(1, 1))
      expect(run.counts).toEqual([1, 0, 0, 0, 0])
      expect(run.verdict.lost[0]).toContain('never got score/1 v2')
    })

    it('does not ask for what was written before the join, or after the last thing that was heard', () => {
      const { run, told } = threeScores()
      run.subscribe(ANN, told.slice(1), 12)
      run.subscribe(BOB, told.slice(0, 1))
      expect(run.counts).toEqual([0, 0, 0, 0, 0])
    })

    it('finds a version whose write was never answered, once it is in the database', () => {
      const { run, told } = threeScores()
      const second = run.writes[1]
      if (second === undefined) throw new Error('unreachable')
      second.outcome = 'unknown'
      second.answered = null
      run.now += 200
      const late = { ...run.write('fence', 10, 'INSERT', 1) }
      const settled = { ...run, settled: run.now - 20, delay: 0 }
      run.subscribe(ANN, [...told.toSpliced(1, 1), late])
      expect(check(settled).lost).toHaveLength(1)
    })

    it('finds a post of a room in which the subscriber certainly was', () => {
      const { run, fence } = room()
      run.subscribe(ANN, [fence])
      expect(run.verdict.figures).toMatchObject({ required: 0, undecided: 1 })
      const stays = new Run()
      stays.member(50, 'INSERT', ANN, 1)
      stays.write('post', 1, 'INSERT', 1, { room: 1 })
      stays.subscribe(ANN, [stays.write('fence', 9, 'INSERT', 1)])
      expect(stays.counts).toEqual([1, 0, 0, 0, 0])
    })

    it('finds rows that a subscriber ends with, ends without, or has in an old version', () => {
      const { run, told } = threeScores()
      const row = { owner: null, room: null }
      run.final.push({ table: 'score', id: 1, version: 3, ...row }, { table: 'score', id: 2, version: 1, ...row })
      const last = run.subscribe(ANN, told)
      last.ended = null
      last.held.set('score/1', { version: 2, deleted: false, room: null })
      last.held.set('score/7', { version: 1, deleted: false, room: null })
      expect(run.verdict.lost).toEqual([
        expect.stringContaining('ended with score/1 v2; the database has v3'),
        expect.stringContaining('ended without score/2 v1'),
        expect.stringContaining('ended with score/7 v1, which the database no longer has'),
      ])
    })
  })

  describe('duplicate', () => {
    it('finds a version that came twice, also in two lives of one channel', () => {
      const { run, told } = threeScores()
      const [first, ...others] = told
      if (first === undefined) throw new Error('unreachable')
      run.subscribe(ANN, told)
      run.subscriptions.push({ ...run.subscribe(BOB, [first], 1), client: `${ANN} 0`, deliveries: [] })
      expect(run.verdict.duplicate).toEqual([])
      run.subscriptions.push({ ...run.subscribe(BOB, others, 1), client: `${ANN} 0`, deliveries: [first] })
      expect(run.verdict.duplicate).toEqual([expect.stringContaining('got score/1 v1 again')])
    })

    it('finds a delete that came twice', () => {
      const run = new Run()
      run.write('score', 1, 'INSERT', 1)
      const gone = run.write('score', 1, 'DELETE', 1)
      run.subscribe(ANN, [gone, gone])
      expect(run.verdict.duplicate).toEqual([expect.stringContaining('got score/1 gone again')])
    })
  })

  describe('leak', () => {
    it('finds what an owner alone may see', () => {
      const run = new Run()
      const note = run.write('note', 1, 'INSERT', 1, { owner: ANN })
      run.subscribe(ANN, [note])
      expect(run.counts).toEqual([0, 0, 0, 0, 0])
      run.subscribe(BOB, [note])
      expect(run.counts).toEqual([0, 0, 1, 0, 0])
    })

    it('finds a post after its reader was put out, and none before', () => {
      const { run, inside, outside, fence } = room()
      run.subscribe(ANN, [inside, fence])
      expect(run.counts).toEqual([0, 0, 0, 0, 0])
      run.subscribe(ANN, [inside, outside, fence])
      expect(run.counts).toEqual([0, 0, 1, 0, 0])
      expect(run.verdict.leak[0]).toContain('post/2 v1')
    })

    it('finds what was not asked for, what never was, and what came after the token', () => {
      const { run, told } = threeScores()
      const narrow = { ...run.subscribe(ANN, []), wanted: [{ table: 'fence' }], deliveries: told.slice(0, 1) }
      const invented = {
        ...run.subscribe(ANN, []),
        deliveries: [{ at: 1, table: 'score', id: 1, op: 'UPDATE' as const, version: 99 }],
      }
      const late = { ...run.subscribe(ANN, []), expires: -6_000, deliveries: told.slice(3) }
      run.subscriptions.splice(0, 3, narrow, invented, late)
      expect(run.verdict.leak).toEqual([
        expect.stringContaining('did not ask'),
        expect.stringContaining('nothing like it was ever committed'),
        expect.stringContaining('its token had run out'),
      ])
    })
  })

  describe('order', () => {
    it('finds versions of a row in the wrong order, and life after a delete', () => {
      const { run, told } = threeScores()
      const [one, two, three, fence] = told
      if (!one || !two || !three || !fence) throw new Error('unreachable')
      run.subscribe(ANN, [one, three, two, fence])
      expect(run.counts[3]).toBeGreaterThan(0)
      const other = new Run()
      const born = other.write('score', 1, 'INSERT', 1)
      const gone = other.write('score', 1, 'DELETE', 1)
      other.subscribe(ANN, [gone, born])
      expect(other.counts[3]).toBeGreaterThan(0)
    })

    it('finds writes that followed each other in the wrong order', () => {
      const run = new Run()
      const first = run.write('score', 1, 'INSERT', 1)
      const second = run.write('score', 2, 'INSERT', 1)
      run.subscribe(ANN, [second, first])
      expect(run.verdict.order).toEqual([expect.stringContaining('it was done before the other began')])
    })

    it('finds the rows of one transaction in the wrong order', () => {
      const run = new Run()
      const first = run.write('score', 1, 'INSERT', 1, { xid: 'x' })
      const second = run.write('score', 2, 'INSERT', 1, { xid: 'x' })
      for (const write of run.writes) Object.assign(write, { started: 1, answered: 100 })
      run.subscribe(ANN, [second, first])
      expect(run.verdict.order).toEqual([expect.stringContaining('their transaction wrote them the other way round')])
    })

    it('finds subscribers who disagree, each of whom could be right', () => {
      const run = new Run()
      const first = run.write('score', 1, 'INSERT', 1)
      const second = run.write('score', 2, 'INSERT', 1)
      for (const write of run.writes) Object.assign(write, { started: 1, answered: 100 })
      run.subscribe(ANN, [first, second])
      expect(run.verdict.order).toEqual([])
      run.subscribe(BOB, [second, first])
      expect(run.verdict.order).toEqual([expect.stringContaining('disagree about the order of')])
    })
  })

  describe('missing', () => {
    it('finds an acknowledged write that is not in the database, and half of a transaction', () => {
      const { run } = threeScores()
      run.committed.splice(1, 1)
      expect(run.counts).toEqual([0, 0, 0, 0, 1])
      const half = new Run()
      half.write('score', 1, 'INSERT', 1)
      const [write] = half.writes
      half.writes[0] = {
        ...(write as Write),
        outcome: 'unknown',
        rows: [...(write?.rows ?? []), { table: 'score', id: 2, op: 'INSERT' }],
      }
      expect(half.verdict.missing).toEqual([expect.stringContaining('(unknown): 1 of 2 rows')])
    })

    it('counts, and does not hide, what was refused and stored', () => {
      const { run } = threeScores()
      const [write] = run.writes
      if (write !== undefined) write.outcome = 'refused'
      expect(run.verdict.figures.refusedYetStored).toBe(1)
      expect(run.counts).toEqual([0, 0, 0, 0, 0])
    })
  })

  it('says when the database holds what nobody wrote: then the run proves nothing', () => {
    const { run } = threeScores()
    run.writes.splice(0, 1)
    expect(run.verdict.harness).toHaveLength(1)
  })
})
