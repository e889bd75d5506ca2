/** One row as text by column name, whether the log told it or a query read it. */
import type { Cell, Relation, Row } from '../../feed/change.ts'

export class RowImage {
  readonly #index: ReadonlyMap<string, number>
  readonly #cells: Row

  constructor(index: ReadonlyMap<string, number>, cells: Row) {
    this.#index = index
    this.#cells = cells
  }

  /** Postgres's text form; null is SQL null, undefined a column that is not there or that the log did not repeat. */
  cell(column: string): Cell {
    const position = this.#index.get(column)
    return position === undefined ? undefined : this.#cells[position]
  }

  /** The same row with these columns only: what is kept of it. */
  only(columns: readonly string[], index: ReadonlyMap<string, number>): RowImage {
    return new RowImage(
      index,
      columns.map((column) => this.cell(column)),
    )
  }
}

export const indexOf = (columns: readonly string[]): ReadonlyMap<string, number> =>
  new Map(columns.map((column, position) => [column, position]))

export const imageOf = (relation: Relation, row: Row): RowImage => new RowImage(relation.index, row)

/** Text that identifies a row among the rows of its table; null when part of its key is not known. */
export const keyOf = (image: RowImage, columns: readonly string[]): string | null => {
  const [only] = columns
  if (columns.length === 1 && only !== undefined) return image.cell(only) ?? null
  const cells = columns.map((column) => image.cell(column))
  return cells.some((cell) => cell === undefined || cell === null) ? null : JSON.stringify(cells)
}
