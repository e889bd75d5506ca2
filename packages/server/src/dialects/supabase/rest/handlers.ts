/** Media types that the database makes itself: aggregates and functions that return a domain named like a media type. */
import type { Catalog, FunctionInfo, Relation } from '../../../db/catalog/catalog.ts'
import type { FindHandler } from './media.ts'

const MEDIA_TYPE = /^[a-z0-9.-]+\/[a-z0-9.+-]+$/i
const ANY = '*/*'
const OCTETS = 'application/octet-stream'

/** The media type that a function's result is, with whether its bytes are binary; null for an ordinary result. */
const mediaOf = (catalog: Catalog, each: FunctionInfo): { readonly name: string; readonly binary: boolean } | null => {
  const type = catalog.types.get(each.returns.typeOid)
  if (type === undefined || type.kind !== 'domain') return null
  const name = type.name.toLowerCase()
  if (name !== ANY && !MEDIA_TYPE.test(name)) return null
  return { name, binary: catalog.types.get(type.baseOid)?.name === 'bytea' }
}

interface HandlerScope {
  readonly catalog: Catalog
  readonly schemas: readonly string[]
  readonly defaultSelect: boolean
}

/** Handlers of a relation's rows: aggregates over its row type, then over any row. */
export const relationHandlers = (
  relation: Relation | null,
  { catalog, schemas, defaultSelect }: HandlerScope,
): FindHandler => {
  const aggregates = catalog.functions.filter(
    (each) => each.kind === 'aggregate' && schemas.includes(each.schema) && each.inputs.length === 1,
  )
  const own = aggregates.filter((each) => relation !== null && each.inputs[0]?.typeOid === relation.rowType)
  const general = aggregates.filter((each) => each.inputs[0]?.typeName === 'anyelement')
  return (mediaType) => {
    const find = (list: readonly FunctionInfo[], name: string) =>
      list.find((each) => mediaOf(catalog, each)?.name === name)
    const chosen = (defaultSelect ? (find(own, ANY) ?? find(own, mediaType)) : undefined) ?? find(general, mediaType)
    const media = chosen === undefined ? null : mediaOf(catalog, chosen)
    if (chosen === undefined || media === null) return null
    return {
      shape: {
        kind: 'aggregate',
        schema: chosen.schema,
        name: chosen.name,
        binary: media.binary,
        anyRow: chosen.inputs[0]?.typeName === 'anyelement',
      },
      contentType: labelOf(media.name),
    }
  }
}

/** A function that returns a media type answers with its value as the body. */
export const functionHandlers = (called: FunctionInfo, relation: Relation | null, scope: HandlerScope): FindHandler => {
  const media = called.returns.set ? null : mediaOf(scope.catalog, called)
  const ofRows = relationHandlers(relation, scope)
  return (mediaType) => {
    if (media !== null && (media.name === ANY || media.name === mediaType || mediaType === ANY)) {
      return { shape: { kind: 'scalar', binary: media.binary }, contentType: labelOf(media.name) }
    }
    return ofRows(mediaType)
  }
}

const labelOf = (name: string): string => {
  const resolved = name === ANY ? OCTETS : name
  const textual = resolved.startsWith('text/') || resolved.endsWith('json') || resolved.endsWith('xml')
  return textual ? `${resolved}; charset=utf-8` : resolved
}
