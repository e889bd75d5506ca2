/**
 * Three servers on one database, with a bus of each kind, while one is cut off, paused and killed: clients of all of them see the changes,
 * broadcasts and presence of all, each once and in order, and nothing is lost in silence.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startNats, type TestNats } from '../../packages/server/test/nats.ts'
import { until } from '../support/until.ts'
import { StayingClient } from './client.ts'
import { type Member, startTeam, type Team } from './team.ts'

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

/** Longer runs also cut lines in the way that nobody is told of. */
export const SOAK = process.env.TEAHOUSE_SOAK === '1'

export const describeNodes = (kind: 'nats' | 'postgres', source: 'log' | 'outbox' = 'log') =>
  describe(`three servers on one database (bus: ${kind}, changes: ${source})`, () => {
    let nats: TestNats | null = null
    let team: Team
    const clients = new Map<Member, StayingClient>()
    /** Rows that were inserted, and texts that were said, so far. */
    let rows = 0
    const said: string[] = []
    let spoken = 0
    /** Servers that were paused, or cut off from the database. */
    const disturbed = new Set<Member>()

    beforeAll(async () => {
      nats = kind === 'nats' ? await startNats() : null
      team = await startTeam({ nats, size: 3, source })
      team.members.forEach((member, index) => {
        const { url, anonKey } = member.server.report
        clients.set(member, new StayingClient({ url, key: anonKey, name: `client ${index + 1}` }))
      })
      await until('everyone is subscribed', () => [...clients.values()].every(({ subscribed }) => subscribed), {
        within: 20_000,
      })
    })
    afterAll(async () => {
      for (const client of clients.values()) client.stop()
      await team?.stop()
      await nats?.stop()
    })

    /** Inserts rows through the API of a server, one request each. */
    const insert = async ({ server }: Member, count: number) => {
      const { url, serviceKey } = server.report
      for (let index = 0; index < count; index++) {
        const response = await fetch(`${url}/rest/v1/item`, {
          method: 'POST',
          headers: { apikey: serviceKey, authorization: `Bearer ${serviceKey}`, 'content-type': 'application/json' },
          body: JSON.stringify({ id: ++rows, body: 'x' }),
        })
        expect(response.status).toBe(201)
      }
    }

    const clientOf = (member: Member): StayingClient => {
      const client = clients.get(member)
      if (client === undefined) throw new Error('a member without a client')
      return client
    }

    /** Says some things one after the other, and remembers those that the server took. */
    const say = async (from: Member, count: number) => {
      const client = clientOf(from)
      const texts = Array.from({ length: count }, () => `${client.name}: ${++spoken}`)
      const taken = await Promise.all(texts.map((text) => client.broadcast(text)))
      said.push(...texts.filter((_, index) => taken[index]))
    }
    const allSay = (members: readonly Member[], count: number) =>
      Promise.all(members.map((member) => say(member, count)))

    const others = (member: Member) => [...clients.keys()].filter((each) => each !== member)
    const here = (members: readonly Member[]) => members.map((member) => clientOf(member).name).sort()

    const seesAll = (member: Member): boolean => {
      const { known, ledger } = clientOf(member)
      const isWhole = ledger.resyncs > 0 || ledger.broadcasts.length >= said.length
      if (known >= rows && isWhole) return true
      throw new Error(
        `${clientOf(member).name} knows ${known} of ${rows} rows and ${ledger.broadcasts.length} of ${said.length} broadcasts after ${ledger.resyncs} resyncs`,
      )
    }

    const by = (name: string, texts: readonly string[]) => texts.filter((text) => text.startsWith(`${name}:`))

    /** Everything once; changes in the order of their commits, what somebody said in the order of saying; nothing missed without a word. */
    const checkLedger = ({ ledger, known }: StayingClient) => {
      const { changes, broadcasts, resyncs } = ledger
      expect(known).toBe(rows)
      expect(changes).toEqual([...new Set(changes)].sort((a, b) => a - b))
      for (const { name } of clients.values()) {
        const heard = by(name, broadcasts)
        expect(heard).toEqual(by(name, said).filter((text) => resyncs === 0 || heard.includes(text)))
      }
      if (resyncs === 0) expect(changes).toEqual(upTo(rows))
    }

    const allSeeAll = async (members: readonly Member[], within = 10_000) => {
      await until('everyone was told everything', () => members.every(seesAll), { within })
      for (const member of members) checkLedger(clientOf(member))
      onlyTheseReadAgain()
    }

    /** Nobody but those to whom something was done had to read again. */
    const onlyTheseReadAgain = () => {
      for (const [member, { ledger }] of clients) if (!disturbed.has(member)) expect(ledger.resyncs).toBe(0)
    }

    const present = (member: Member) => [...clientOf(member).ledger.present.keys()].sort()

    const allSee = (members: readonly Member[], names: readonly string[], within = 12_000) =>
      until(`everyone sees ${names}`, () => members.every((each) => String(present(each)) === String(names)), {
        within,
      })

    it('tell everyone everything', async () => {
      const all = [...clients.keys()]
      for (const member of all) {
        await insert(member, 5)
        await say(member, 20)
      }
      const { url, serviceKey } = all[0]?.server.report ?? { url: '', serviceKey: '' }
      said.push('rest: hello')
      await fetch(`${url}/realtime/v1/api/broadcast`, {
        method: 'POST',
        headers: { apikey: serviceKey, 'content-type': 'application/json' },
        body: JSON.stringify({ messages: [{ topic: 'lobby', event: 'say', payload: { text: 'rest: hello' } }] }),
      })
      await allSeeAll(all)
      await allSee(all, here(all))
      for (const member of all)
        expect(clientOf(member).ledger.broadcasts.filter((text) => text.startsWith('rest'))).toHaveLength(1)
    })

    it('hold to what another of them was told: a new table, and the end of a session', async () => {
      const [first, second] = [...clients.keys()]
      if (first === undefined || second === undefined) throw new Error('no team')
      const { url, serviceKey, anonKey } = first.server.report
      const admin = { apikey: serviceKey, authorization: `Bearer ${serviceKey}`, 'content-type': 'application/json' }
      const json = { apikey: anonKey, 'content-type': 'application/json' }
      const login = JSON.stringify({ email: `a@${kind}.example`, password: 'a long password' })
      await fetch(`${url}/auth/v1/admin/users`, {
        method: 'POST',
        headers: admin,
        body: JSON.stringify({ ...JSON.parse(login), email_confirm: true }),
      })
      const session = await fetch(`${url}/auth/v1/token?grant_type=password`, {
        method: 'POST',
        headers: json,
        body: login,
      })
      const { access_token: token } = (await session.json()) as { access_token: string }
      const bearer = { ...json, authorization: `Bearer ${token}` }
      const ask = () => fetch(`${second.server.report.url}/auth/v1/user`, { headers: bearer })
      expect((await ask()).status).toBe(200)
      const guest = new StayingClient({ url: second.server.report.url, key: anonKey, token, name: 'guest' })
      await until('the guest is subscribed', () => guest.subscribed)
      await fetch(`${url}/auth/v1/logout`, { method: 'POST', headers: bearer })
      await until('the other server refuses the token', async () => (await ask()).status === 403)
      await until('the other server ends the channel', () => guest.closed !== null)
      guest.stop()
      await team.sql('create table later (id int); grant select on later to anon')
      const { status } = await fetch(`${second.server.report.url}/rest/v1/later`, { headers: { apikey: anonKey } })
      expect(status).toBe(200)
    })

    it('lose nothing while the line between one of them and the others is cut, and tell nothing twice', async () => {
      const all = [...clients.keys()]
      const [cut, other] = [all.at(-1), all[0]]
      if (cut === undefined || other === undefined) throw new Error('no team')
      // That is the line to the database, too.
      if (kind === 'postgres') disturbed.add(cut)
      cut.bus.cut()
      await insert(other, 10)
      await allSay(all, 10)
      cut.bus.heal()
      await allSeeAll(all)
      await allSee(all, here(all))
    })

    // Which bus it is makes no difference to who leads: a short run pauses one and kills the other.
    if (SOAK || kind === 'nats') {
      it('go on when the one that reads the log is paused; and when it wakes, nobody is told anything twice', async () => {
        const paused = await team.leader()
        const rest = others(paused)
        const [other] = rest
        if (other === undefined) throw new Error('no team')
        disturbed.add(paused)
        process.kill(paused.server.pid, 'SIGSTOP')
        try {
          await insert(other, 10)
          await allSay(rest, 10)
          await allSeeAll(rest, 15_000)
          await allSee(rest, here(rest))
          await insert(other, 5)
          expect(await team.leader()).not.toBe(paused)
        } finally {
          process.kill(paused.server.pid, 'SIGCONT')
        }
        const all = [...clients.keys()]
        await allSeeAll(all, 15_000)
        await allSee(all, here(all))
      })
    }

    if (SOAK) {
      it('go on when the one that reads the log hears nothing of the database any more', async () => {
        const deaf = await team.leader()
        const rest = others(deaf)
        const [other] = rest
        if (other === undefined) throw new Error('no team')
        disturbed.add(deaf)
        deaf.database.freeze()
        await insert(other, 10)
        await allSay(rest, 10)
        await allSeeAll(rest, 20_000)
        expect(await team.leader()).not.toBe(deaf)
        deaf.database.heal()
        const all = [...clients.keys()]
        await allSay(all, 5)
        await allSeeAll(all, 30_000)
        await allSee(all, here(all), 30_000)
      })
    }

    if (SOAK || kind === 'postgres') {
      it('go on when the one that reads the log is killed, and its members leave', async () => {
        const killed = await team.leader()
        const rest = others(killed)
        const [other] = rest
        if (other === undefined) throw new Error('no team')
        clientOf(killed).stop()
        clients.delete(killed)
        await killed.server.kill9()
        await insert(other, 10)
        await allSay(rest, 10)
        await until(
          'those who are left are told everything',
          () => rest.every((each) => clientOf(each).known >= rows),
          {
            within: 10_000,
          },
        )
        await allSee(rest, here(rest))
        await allSeeAll(rest)
        onlyTheseReadAgain()
      })
    }
  })
