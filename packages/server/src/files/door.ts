/** The one way to the database for this service: as the caller, under row-level security, or as the owner where the authority comes from elsewhere. */
import type { Pool } from '../db/pool.ts'
import { runAs, type Scope, type Session, searchPathOf, transactionAs } from '../db/scope.ts'
import type { Statement } from '../sql/sql.ts'
import { translated } from './database-errors.ts'
import type { Actor } from './types.ts'

export interface DoorOptions {
  readonly requests: Pool
  readonly owner: Pool
}

export interface Door {
  /** Rows of a statement that selects one column of JSON text. */
  rows<T>(actor: Actor, statement: Statement): Promise<readonly T[]>
  /** One transaction; refusals of Postgres come out as this service's own. */
  transaction<T>(actor: Actor, work: (session: Session) => Promise<T>): Promise<T>
  /** Runs `work` and undoes it: whether it would be allowed is all that is wanted. */
  rehearse(actor: Actor, work: (session: Session) => Promise<unknown>): Promise<void>
}

const SEARCH_PATH = searchPathOf(['storage', 'public', 'extensions'])

/** For work that needs no caller: nobody owns what it makes. */
export const SYSTEM: Actor = { kind: 'system', ownerId: null }

export const createDoor = ({ requests, owner }: DoorOptions): Door => {
  const transaction: Door['transaction'] = (actor, work) =>
    translated(() =>
      actor.kind === 'system' ? owner.transaction(work) : transactionAs(requests, scopeOf(actor), work),
    )
  return {
    transaction,
    rows: <T>(actor: Actor, statement: Statement) =>
      translated(async () => {
        // A batch also for the owner: its statements are prepared.
        const [result] =
          actor.kind === 'system'
            ? await owner.batch([{ ...statement, planKey: 'files' }])
            : await runAs(requests, scopeOf(actor), [statement])
        return (result?.rows ?? []).map(([json]) => parseRow<T>(json ?? 'null'))
      }),
    async rehearse(actor, work) {
      const undo = new Error('rehearsed')
      try {
        await transaction(actor, async (session) => {
          await work(session)
          throw undo
        })
      } catch (error) {
        if (error !== undo) throw error
      }
    },
  }
}

const scopeOf = ({ caller, operation }: Extract<Actor, { kind: 'caller' }>): Scope => ({
  role: caller.role,
  claims: caller.claimsText,
  searchPath: SEARCH_PATH,
  settings: [['storage.operation', `storage.${operation}`]],
})

/** Rows of a JSON statement inside a transaction. */
export const jsonRows = async <T>(session: Session, statement: Statement): Promise<readonly T[]> =>
  (await session.many<{ json: string }>(statement)).map(({ json }) => parseRow<T>(json))

// The statement built this JSON itself; its author states the shape.
const parseRow = <T>(json: string): T => JSON.parse(json) as T
