/** Geometry on the sphere: GeoJSON values, distance, containment and intersection. Edges are great-circle arcs. Pure. */
import { fieldOf, isArray, isDoc, isNumber, toNumber, type Value } from './value.ts'

/** The radius that MongoDB computes with, in metres. */
export const EARTH_RADIUS = 6_378_100

export type Position = readonly [longitude: number, latitude: number]
type Ring = readonly Position[]

/** A geometry as its parts: single points, paths of arcs, and polygons (outer ring, then holes). */
export interface Geometry {
  readonly points: readonly Position[]
  readonly paths: readonly Ring[]
  readonly polygons: readonly (readonly Ring[])[]
}

export type GeoTest =
  | { readonly kind: 'within'; readonly region: Geometry }
  | { readonly kind: 'cap'; readonly center: Position; readonly radians: number }
  | { readonly kind: 'intersects'; readonly geometry: Geometry }
  | { readonly kind: 'near'; readonly center: Position; readonly min: number; readonly max: number }

// --- reading

const position = (value: Value | undefined): Position | null => {
  if (!isArray(value) || value.length < 2) return null
  const [x, y] = value
  if (!isNumber(x) || !isNumber(y)) return null
  const [longitude, latitude] = [toNumber(x), toNumber(y)]
  return Math.abs(longitude) <= 180 && Math.abs(latitude) <= 90 ? [longitude, latitude] : null
}

const all = <T>(value: Value | undefined, read: (item: Value) => T | null): readonly T[] | null => {
  if (!isArray(value) || value.length === 0) return null
  const items = value.map(read)
  const known = items.filter((item) => item !== null)
  return known.length === items.length ? known : null
}

const line = (value: Value): Ring | null => {
  const positions = all(value, position)
  return positions !== null && positions.length >= 2 ? positions : null
}

const ring = (value: Value): Ring | null => {
  const positions = all(value, position)
  const [first, last] = [positions?.[0], positions?.at(-1)]
  if (positions === null || positions.length < 4 || first === undefined || last === undefined) return null
  return first[0] === last[0] && first[1] === last[1] ? positions : null
}

const polygon = (value: Value): readonly Ring[] | null => all(value, ring)

const part = (parts: Partial<Record<keyof Geometry, Geometry[keyof Geometry] | null>>): Geometry | null => {
  if (Object.values(parts).includes(null)) return null
  // Exactly one part is given, and it was just seen not to be null.
  return { points: [], paths: [], polygons: [], ...parts } as Geometry
}

const READERS: Readonly<Record<string, (coordinates: Value | undefined) => Geometry | null>> = {
  Point: (value) => part({ points: single(position(value)) }),
  MultiPoint: (value) => part({ points: all(value, position) }),
  LineString: (value) => part({ paths: single(value === undefined ? null : line(value)) }),
  MultiLineString: (value) => part({ paths: all(value, line) }),
  Polygon: (value) => part({ polygons: single(value === undefined ? null : polygon(value)) }),
  MultiPolygon: (value) => part({ polygons: all(value, polygon) }),
}

const single = <T>(item: T | null): readonly T[] | null => (item === null ? null : [item])

/** A GeoJSON geometry, or a plain pair of longitude and latitude; null when it is neither. */
export const readGeometry = (value: Value | undefined): Geometry | null => {
  if (isArray(value)) return value.length === 2 ? part({ points: single(position(value)) }) : null
  if (!isDoc(value)) return null
  const type = fieldOf(value, 'type')
  const reader = typeof type === 'string' && Object.hasOwn(READERS, type) ? READERS[type] : undefined
  return reader?.(fieldOf(value, 'coordinates')) ?? null
}

/** The single point of a value; null when it is something else. */
export const readPoint = (value: Value | undefined): Position | null => {
  const found = readGeometry(value)
  return found !== null && found.points.length === 1 ? (found.points[0] ?? null) : null
}

// --- on the unit sphere

type Vector = readonly [number, number, number]

const radians = (degrees: number): number => (degrees * Math.PI) / 180

const vector = ([longitude, latitude]: Position): Vector => {
  const [x, y] = [radians(longitude), radians(latitude)]
  return [Math.cos(y) * Math.cos(x), Math.cos(y) * Math.sin(x), Math.sin(y)]
}

const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
]
const size = (a: Vector): number => Math.sqrt(dot(a, a))

/** The angle between two directions; exact for tiny ones too. */
const angle = (a: Vector, b: Vector): number => Math.atan2(size(cross(a, b)), dot(a, b))

/** Metres between two positions. */
export const distance = (a: Position, b: Position): number => angle(vector(a), vector(b)) * EARTH_RADIUS

/** Below a tenth of a millimetre: the same place. */
const SAME = 1e-11

const onArc = (p: Vector, a: Vector, b: Vector): boolean =>
  Math.abs(angle(a, p) + angle(p, b) - angle(a, b)) < SAME * 10 ||
  (Math.abs(dot(p, cross(a, b))) < SAME * size(cross(a, b)) && angle(a, p) <= angle(a, b) && angle(p, b) <= angle(a, b))

const arcsOf = (positions: Ring): readonly (readonly [Vector, Vector])[] => {
  const vectors = positions.map(vector)
  return vectors.slice(1).map((to, index) => [vectors[index] ?? to, to] as const)
}

/** Whether two arcs have a point in common. */
const arcsMeet = ([a, b]: readonly [Vector, Vector], [c, d]: readonly [Vector, Vector]): boolean => {
  if (onArc(a, c, d) || onArc(b, c, d) || onArc(c, a, b) || onArc(d, a, b)) return true
  const [ab, cd] = [cross(a, b), cross(c, d)]
  const [acb, cbd, bda, dac] = [-dot(ab, c), -dot(cd, b), dot(ab, d), dot(cd, a)]
  return acb * cbd > 0 && cbd * bda > 0 && bda * dac > 0
}

const onBorder = (p: Vector, border: Ring): boolean => arcsOf(border).some(([a, b]) => onArc(p, a, b))

/** How far a ring turns around a point, as seen from it: a full turn when the point is inside. */
const inRing = (p: Vector, border: Ring): boolean => {
  const vectors = border.map(vector)
  const middle = vectors.reduce<Vector>((sum, v) => [sum[0] + v[0], sum[1] + v[1], sum[2] + v[2]], [0, 0, 0])
  // The ring winds around the opposite side of the earth too.
  if (dot(p, middle) <= 0) return false
  const turn = arcsOf(border).reduce((sum, [a, b]) => {
    const [u, v] = [cross(p, a), cross(p, b)]
    return sum + Math.atan2(dot(p, cross(u, v)), dot(u, v))
  }, 0)
  return Math.abs(turn) > Math.PI
}

/** A border belongs to its polygon. */
const inPolygon = (p: Vector, [outer = [], ...holes]: readonly Ring[]): boolean => {
  if (onBorder(p, outer)) return true
  return inRing(p, outer) && holes.every((hole) => onBorder(p, hole) || !inRing(p, hole))
}

const ringsOf = ({ paths, polygons }: Geometry): readonly Ring[] => [...paths, ...polygons.flat()]

const cornersOf = (geometry: Geometry): readonly Position[] => [...geometry.points, ...ringsOf(geometry).flat()]

/** Whether an arc passes from one side of a border to the other. Touching is not crossing. */
const crosses = ([a, b]: readonly [Vector, Vector], [c, d]: readonly [Vector, Vector]): boolean => {
  const [ab, cd] = [cross(a, b), cross(c, d)]
  const sides = [-dot(ab, c), -dot(cd, b), dot(ab, d), dot(cd, a)]
  return sides.every((side) => side > SAME) || sides.every((side) => side < -SAME)
}

const within = (geometry: Geometry, region: Geometry): boolean => {
  const inside = cornersOf(geometry).every((corner) => region.polygons.some((each) => inPolygon(vector(corner), each)))
  if (!inside) return false
  const borders = region.polygons.flat().flatMap(arcsOf)
  const arcs = ringsOf(geometry).flatMap(arcsOf)
  return !arcs.some((arc) => borders.some((border) => crosses(arc, border)))
}

const coversPoint = (geometry: Geometry, p: Vector): boolean =>
  geometry.points.some((each) => angle(vector(each), p) < SAME) ||
  geometry.paths.some((path) => onBorder(p, path)) ||
  geometry.polygons.some((each) => inPolygon(p, each))

const intersects = (a: Geometry, b: Geometry): boolean => {
  if (cornersOf(a).some((corner) => coversPoint(b, vector(corner)))) return true
  if (cornersOf(b).some((corner) => coversPoint(a, vector(corner)))) return true
  const others = ringsOf(b).flatMap(arcsOf)
  return ringsOf(a).flatMap(arcsOf).some((arc) => others.some((other) => arcsMeet(arc, other))) // biome-ignore format: one sentence
}

/** Metres from a place to the nearest point of a value; null when it is no geometry. Lines and areas are as near as their nearest corner, or zero inside. */
export const distanceTo = (center: Position, value: Value | undefined): number | null => {
  const geometry = readGeometry(value)
  if (geometry === null) return null
  if (coversPoint(geometry, vector(center))) return 0
  return Math.min(...cornersOf(geometry).map((corner) => distance(center, corner)))
}

/** Whether a value is a geometry that satisfies the test. */
export const matchesGeo = (test: GeoTest, value: Value | undefined): boolean => {
  if (test.kind === 'near') {
    const metres = distanceTo(test.center, value)
    return metres !== null && metres >= test.min && metres <= test.max
  }
  const geometry = readGeometry(value)
  if (geometry === null) return false
  switch (test.kind) {
    case 'within':
      return within(geometry, test.region)
    case 'cap':
      return cornersOf(geometry).every((corner) => distance(test.center, corner) <= test.radians * EARTH_RADIUS)
    case 'intersects':
      return intersects(geometry, test.geometry)
  }
}

export interface Box {
  readonly west: number
  readonly south: number
  readonly east: number
  readonly north: number
}

const degrees = (angleInRadians: number): number => (angleInRadians * 180) / Math.PI

/** A box that holds everything which can satisfy the test, for an index; null when nothing can be said. */
export const boxOf = (test: GeoTest): Box | null => {
  if (test.kind === 'near') return Number.isFinite(test.max) ? around([test.center], test.max / EARTH_RADIUS) : null
  if (test.kind === 'cap') return around([test.center], test.radians)
  const geometry = test.kind === 'within' ? test.region : test.geometry
  const longest = Math.max(0, ...ringsOf(geometry).flatMap(arcsOf).map(([a, b]) => angle(a, b))) // biome-ignore format: one sentence
  // No point of an arc is farther from its ends than half its length.
  return around(cornersOf(geometry), longest / 2)
}

const around = (corners: readonly Position[], reachInRadians: number): Box | null => {
  const margin = degrees(reachInRadians) * 1.000001 + 1e-9
  const latitudes = corners.map(([, latitude]) => latitude)
  const longitudes = corners.map(([longitude]) => longitude)
  const [south, north] = [Math.min(...latitudes) - margin, Math.max(...latitudes) + margin]
  const [west, east] = [Math.min(...longitudes), Math.max(...longitudes)]
  const everywhere = { west: -180, east: 180, south, north }
  // Near a pole, or across the date line, every longitude is possible.
  if (Math.max(Math.abs(south), Math.abs(north)) >= 89 || east - west > 180) return everywhere
  const widest = degrees(Math.asin(Math.min(1, Math.sin(Math.min(Math.PI / 2, radians(margin))) / Math.cos(radians(Math.max(Math.abs(south), Math.abs(north))))))) // biome-ignore format: one formula
  const box = { west: west - widest - 1e-9, east: east + widest + 1e-9, south, north }
  return box.west < -180 || box.east > 180 ? everywhere : box
}
