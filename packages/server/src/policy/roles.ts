/** What a role may do by itself and through the roles it belongs to. Pure, from the catalogue. */
import type { Catalog, Relation } from '../db/catalog/catalog.ts'

/** The role, everything it inherits from, and `public`. */
export const effectiveRoles = (catalog: Catalog, role: string): ReadonlySet<string> => {
  const found = new Set<string>(['public'])
  const open = [role]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue
    found.add(name)
    open.push(...(catalog.roles.get(name)?.memberOf ?? []))
  }
  return found
}

/** Whether row-level security does not apply to the role on this relation. Bypassing is an attribute: it is not inherited. */
export const escapesRowSecurity = (catalog: Catalog, relation: Relation, role: string): boolean => {
  if (!relation.rowSecurity) return true
  const info = catalog.roles.get(role)
  if (info === undefined) return false
  if (info.superuser || info.bypassRowSecurity) return true
  return !relation.forceRowSecurity && effectiveRoles(catalog, role).has(relation.owner)
}

/** Columns that the role may select: all, or a set (empty when none). */
export const selectableColumns = (catalog: Catalog, relation: Relation, role: string): ReadonlySet<string> | 'all' => {
  if (catalog.roles.get(role)?.superuser) return 'all'
  const roles = effectiveRoles(catalog, role)
  if (roles.has(relation.owner)) return 'all'
  const columns = new Set<string>()
  for (const grant of relation.grants) {
    if (grant.privilege !== 'SELECT' || !roles.has(grant.role)) continue
    if (grant.columns === null) return 'all'
    for (const column of grant.columns) columns.add(column)
  }
  return columns
}
