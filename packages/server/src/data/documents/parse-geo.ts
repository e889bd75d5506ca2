/** Geo operators of the query language. */
import { type GeoTest, readGeometry, readPoint } from '../../expr/bson/geo.ts'
import type { Test } from '../../expr/bson/query.ts'
import { type Doc, fieldOf, isArray, isDoc, isNumber, toNumber, type Value } from '../../expr/bson/value.ts'
import { DocumentError } from './errors.ts'

const bad = (message: string): DocumentError => new DocumentError('invalid_param', message)

/** The test of a geo operator; null when it is none. */
export const geoTest = (name: string, value: Value, operators: Doc): Test | null => {
  switch (name) {
    case '$geoNear':
    case '$near':
    case '$nearSphere':
      return { op: 'geo', geo: nearTest(value, operators) }
    case '$geoWithin':
      return { op: 'geo', geo: withinTest(value) }
    case '$geoIntersects':
      return { op: 'geo', geo: { kind: 'intersects', geometry: geometryOf(value) } }
    default:
      return null
  }
}

const metres = (value: Value | undefined, missing: number): number => {
  if (value === undefined || value === null) return missing
  if (!isNumber(value) || !(toNumber(value) >= 0)) throw bad('a distance is a number of metres, not negative')
  return toNumber(value)
}

const nearTest = (value: Value, operators: Doc): GeoTest => {
  const inside = isDoc(value) ? value : operators
  const center = readPoint(isDoc(value) ? (fieldOf(value, '$geometry') ?? fieldOf(value, 'geometry') ?? value) : value)
  if (center === null) throw bad('near needs a point')
  const option = (name: string): Value | undefined =>
    fieldOf(inside, `$${name}`) ?? fieldOf(inside, name) ?? fieldOf(operators, `$${name}`)
  return {
    kind: 'near',
    center,
    min: metres(option('minDistance'), 0),
    max: metres(option('maxDistance'), Number.POSITIVE_INFINITY),
  }
}

const withinTest = (value: Value): GeoTest => {
  if (!isDoc(value)) throw bad('$geoWithin needs an object')
  const cap = fieldOf(value, '$centerSphere') ?? fieldOf(value, 'centerSphere')
  if (cap !== undefined) {
    const [at, radians] = isArray(cap) ? cap : []
    const center = readPoint(at)
    if (center === null || !isNumber(radians)) throw bad('centerSphere needs a point and a radius in radians')
    return { kind: 'cap', center, radians: metres(radians, 0) }
  }
  const region = geometryOf(value)
  if (region.polygons.length === 0) throw bad('$geoWithin needs a polygon')
  return { kind: 'within', region }
}

const geometryOf = (value: Value): NonNullable<ReturnType<typeof readGeometry>> => {
  const geometry = isDoc(value)
    ? readGeometry(fieldOf(value, '$geometry') ?? fieldOf(value, 'geometry') ?? value)
    : null
  if (geometry === null) throw bad('unknown geo specifier: a GeoJSON geometry is wanted')
  return geometry
}
