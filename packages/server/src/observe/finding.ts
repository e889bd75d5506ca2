/** Something that an operator should know about an installation, and what to do about it. */

export interface Finding {
  /** Names the kind of finding, for scripts. */
  readonly id: string
  /** `problem`: something does not work or is not safe. `warning`: it may become one. `note`: good to know. */
  readonly severity: 'problem' | 'warning' | 'note'
  readonly what: string
  /** What to do: a sentence, a command, or SQL. Empty when there is nothing to do. */
  readonly remedy: string
}
