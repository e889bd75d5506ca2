/** What of a row a subscriber is shown: columns by grants, publication and choice; old rows by the owner's replica identity. Pure. */
import type { Catalog, Publication, Relation } from '../db/catalog/catalog.ts'
import { selectableColumns } from '../policy/roles.ts'

export interface Projection {
  /** Subscribers with the same key are shown the same. */
  readonly key: string
  readonly relation: Relation
  readonly columns: ReadonlySet<string>
  /** Columns that the owner's own replica identity keeps of old rows. */
  readonly oldColumns: ReadonlySet<string>
  /** Whether row-level security is on: then a delete shows no more than the primary key. */
  readonly rowSecurity: boolean
  /** Why the row itself cannot be shown; null when it can. */
  readonly refusal: 'unauthorized' | 'no_primary_key' | null
}

/** How a publication publishes one table; null when it does not. */
export interface Published {
  readonly insert: boolean
  readonly update: boolean
  readonly delete: boolean
  readonly columns: readonly string[] | null
  readonly rowFilter: string | null
}

export const publishedBy = (catalog: Catalog, publication: Publication, relation: Relation): Published | null => {
  const operations = { insert: publication.insert, update: publication.update, delete: publication.delete }
  const everything = { ...operations, columns: null, rowFilter: null }
  if (publication.allTables || publication.schemas.includes(relation.schema)) return everything
  const entry = publication.tables.find((table) => table.relation === relation.oid)
  if (entry !== undefined) return { ...operations, columns: entry.columns, rowFilter: entry.rowFilter }
  // A partition is published with its parent.
  for (const oid of relation.parents) {
    const parent = relation.isPartition ? catalog.relationById(oid) : undefined
    const found = parent === undefined ? null : publishedBy(catalog, publication, parent)
    if (found !== null) return { ...found, rowFilter: found.rowFilter }
  }
  return null
}

export interface ProjectionOptions {
  readonly catalog: Catalog
  readonly relation: Relation
  readonly role: string
  readonly published: Published | null
  readonly select: readonly string[] | null
  /** Columns that the owner's replica identity keeps, when the feed widened it; null when it was not widened. */
  readonly ownIdentity: readonly string[] | 'full' | null
}

export const projectionOf = (options: ProjectionOptions): Projection => {
  const { catalog, relation, role, published, select } = options
  const allowed = selectableColumns(catalog, relation, role)
  const wanted = (name: string) =>
    (allowed === 'all' || allowed.has(name)) &&
    (published?.columns == null || published.columns.includes(name)) &&
    (select === null || select.includes(name) || relation.primaryKey.includes(name))
  const columns = new Set(relation.columns.map((column) => column.name).filter(wanted))
  const mayKey = relation.primaryKey.every((name) => allowed === 'all' || allowed.has(name))
  const refusal = relation.primaryKey.length === 0 ? 'no_primary_key' : mayKey ? null : 'unauthorized'
  const identity = options.ownIdentity ?? (relation.replicaIdentity === 'full' ? 'full' : relation.identityColumns)
  const oldColumns = identity === 'full' ? columns : new Set(identity.filter((name) => columns.has(name)))
  const { rowSecurity } = relation
  const key = [
    relation.oid,
    catalog.version,
    refusal,
    rowSecurity,
    [...columns].join('\0'),
    [...oldColumns].join('\0'),
  ].join('|')
  return { key, relation, columns, oldColumns, rowSecurity, refusal }
}
