/** The statements behind `once.ts`: answers of writes, kept by key. */
import { type Statement, sql } from '../sql/sql.ts'

/** As `pg` reads it. */
export interface KeptRow {
  readonly request: Buffer
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Buffer | null
}

/** Waits for whoever has the key, and answers what they were told. */
export const claimAnswer = (key: Uint8Array): Statement => sql('once.claim')`
  select request, status, headers, body
    from teahouse.claim_answer(${key})`

export const keepAnswer = (key: Uint8Array, kept: Omit<KeptRow, 'request'> & { request: Uint8Array }): Statement =>
  sql('once.keep')`
  select teahouse.keep_answer(${key}, ${kept.request}, ${kept.status}, ${JSON.stringify(kept.headers)}::jsonb, ${kept.body})`

/** Back from the caller's role to the login's, which alone may keep answers. */
export const backToLogin: Statement = sql('once.role')`select set_config('role', 'none', true)`

export const isolated = (level: 'read committed' | 'repeatable read' | 'serializable'): Statement => {
  const texts = {
    'read committed': sql('once.isolation')`set transaction isolation level read committed`,
    'repeatable read': sql('once.isolation')`set transaction isolation level repeatable read`,
    serializable: sql('once.isolation')`set transaction isolation level serializable`,
  }
  return texts[level]
}
