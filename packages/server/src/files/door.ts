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
  /** The same for statements that are known beforehand: three round trips, whatever they are. */
  rehearseAll(actor: Actor, statements: readonly Statement[]): Promise<void>
  /** Runs statements, then `work`, then commits; undoes the statements when `work` rejects. Answers the rows of the last statement. */
  commitAfter<T>(actor: Actor, statements: readonly Statement[], work: () => Promise<void>): Promise<readonly T[]>
}

const SEARCH_PATH = searchPathOf(['storage', 'public', 'extensions'])

/** For work that needs no caller: nobody owns what it makes. */
export const SYSTEM: Actor = { kind: 'system', ownerId: null }

export const createDoor = ({ requests, owner }: DoorOptions): Door => {
  const transaction: Door['transaction'] = (actor, work) =>
    translated(() =>
      actor.kind === 'system' ? owner.transaction(work) : transactionAs(requests, scopeOf(actor), work),
    )
  const explicit = (
    actor: Actor,
    statements: readonly Statement[],
    end: 'commit' | 'rollback',
    work?: () => Promise<void>,
  ) => {
    if (actor.kind === 'system') {
      const planned = statements.map((statement) => ({ ...statement, planKey: 'files' }))
      return owner.explicit('begin', planned, end, work)
    }
    const how = { rollback: end === 'rollback', ...(work === undefined ? {} : { beforeEnd: work }) }
    return runAs(requests, scopeOf(actor), statements, how)
  }
  return {
    transaction,
    rehearseAll: (actor, statements) => translated(async () => void (await explicit(actor, statements, 'rollback'))),
    commitAfter: <T>(actor: Actor, statements: readonly Statement[], work: () => Promise<void>) =>
      translated(async () => {
        const results = await explicit(actor, statements, 'commit', work)
        return (results.at(-1)?.rows ?? []).map(([json]) => parseRow<T>(json ?? 'null'))
      }),
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
