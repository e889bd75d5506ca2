/** The one error type of the embedded PostgreSQL: a code for callers that branch, and a message that is one line an operator can act on. */

/** What went wrong, as a word. */
export type EmbeddedErrorCode =
  | 'platform_missing'
  | 'binaries_unusable'
  | 'no_unprivileged_user'
  | 'data_dir_owner'
  | 'data_dir_unusable'
  | 'version_mismatch'
  | 'locked'
  | 'foreign_postmaster'
  | 'orphan_stuck'
  | 'port_in_use'
  | 'initdb_failed'
  | 'start_failed'
  | 'stopped'
  | 'bad_setting'

/** A refusal or failure of the embedded PostgreSQL. */
export class EmbeddedError extends Error {
  readonly code: EmbeddedErrorCode

  constructor(code: EmbeddedErrorCode, message: string, cause?: unknown) {
    super(message.replaceAll(/\s*\n\s*/g, ' '), cause === undefined ? undefined : { cause })
    this.name = 'EmbeddedError'
    this.code = code
  }
}

/** The `code` of a system error (`ENOENT`, …), or an empty string for anything else. */
export function systemCode(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return ''
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The refusal to work on another user's files. */
export function belongsToAnother(folder: string, uid: number): EmbeddedError {
  const who = `the data folder ${folder} belongs to user id ${uid}, but this process runs as ${process.geteuid?.() ?? 'another'}`
  return new EmbeddedError('data_dir_owner', `${who}; start Teahouse as its owner, or change the owner`)
}
