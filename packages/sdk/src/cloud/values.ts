/** Values on their way: dates, places, patterns and server dates, to plain JSON and back. */

export class ServerDate {
  readonly offset: number
  constructor(offset: number) {
    this.offset = offset
  }
}

export class RegExpValue {
  readonly regexp: string
  readonly options: string
  constructor(regexp: string, options: string) {
    this.regexp = regexp
    this.options = options
  }
}

type Coordinates = readonly [number, number]

/** A place or a shape, as GeoJSON names them. */
export class Geometry {
  readonly type: string
  readonly coordinates: unknown
  constructor(type: string, coordinates: unknown) {
    this.type = type
    this.coordinates = coordinates
  }
  toJSON(): object {
    return { type: this.type, coordinates: this.coordinates }
  }
  toString(): string {
    return JSON.stringify(this.toJSON())
  }
}

export class GeoPoint extends Geometry {
  readonly longitude: number
  readonly latitude: number
  constructor(longitude: number, latitude: number) {
    super('Point', [longitude, latitude])
    this.longitude = longitude
    this.latitude = latitude
  }
}

const at = (shape: { readonly coordinates: unknown }): unknown => shape.coordinates
const allAt = (shapes: readonly { readonly coordinates: unknown }[]): unknown[] => shapes.map(at)

export class GeoLineString extends Geometry {
  readonly points: readonly GeoPoint[]
  constructor(points: readonly GeoPoint[]) {
    super('LineString', allAt(points))
    this.points = points
  }
}

export class GeoPolygon extends Geometry {
  readonly lines: readonly GeoLineString[]
  constructor(lines: readonly GeoLineString[]) {
    super('Polygon', allAt(lines))
    this.lines = lines
  }
}

export class GeoMultiPoint extends Geometry {
  readonly points: readonly GeoPoint[]
  constructor(points: readonly GeoPoint[]) {
    super('MultiPoint', allAt(points))
    this.points = points
  }
}

export class GeoMultiLineString extends Geometry {
  readonly lines: readonly GeoLineString[]
  constructor(lines: readonly GeoLineString[]) {
    super('MultiLineString', allAt(lines))
    this.lines = lines
  }
}

export class GeoMultiPolygon extends Geometry {
  readonly polygons: readonly GeoPolygon[]
  constructor(polygons: readonly GeoPolygon[]) {
    super('MultiPolygon', allAt(polygons))
    this.polygons = polygons
  }
}

const point = (coordinates: unknown): GeoPoint => {
  const [longitude, latitude] = coordinates as Coordinates
  return new GeoPoint(longitude, latitude)
}
const points = (list: unknown): GeoPoint[] => (list as readonly unknown[]).map(point)
const line = (list: unknown): GeoLineString => new GeoLineString(points(list))
const polygon = (list: unknown): GeoPolygon => new GeoPolygon((list as readonly unknown[]).map(line))

const SHAPES: Readonly<Record<string, (coordinates: unknown) => Geometry>> = {
  Point: point,
  LineString: line,
  Polygon: polygon,
  MultiPoint: (list) => new GeoMultiPoint(points(list)),
  MultiLineString: (list) => new GeoMultiLineString((list as readonly unknown[]).map(line)),
  MultiPolygon: (list) => new GeoMultiPolygon((list as readonly unknown[]).map(polygon)),
}

/** `db.Geo`; shapes may be given as GeoJSON too. */
export const Geo = {
  Point: (longitude: number, latitude: number) => new GeoPoint(longitude, latitude),
  LineString: (list: readonly GeoPoint[]) => new GeoLineString(list),
  Polygon: (list: readonly GeoLineString[]) => new GeoPolygon(list),
  MultiPoint: (list: readonly GeoPoint[]) => new GeoMultiPoint(list),
  MultiLineString: (list: readonly GeoLineString[]) => new GeoMultiLineString(list),
  MultiPolygon: (list: readonly GeoPolygon[]) => new GeoMultiPolygon(list),
}

export type Plain = Readonly<Record<string, unknown>>

export const isPlain = (value: unknown): value is Plain =>
  Object.prototype.toString.call(value) === '[object Object]' &&
  (Object.getPrototypeOf(value) === null || Object.getPrototypeOf(value) === Object.prototype || isFromElsewhere(value))

/** Objects of another realm have another Object: what has a plain constructor's name and no class of ours is plain. */
const isFromElsewhere = (value: unknown): boolean =>
  !(value instanceof Geometry || value instanceof ServerDate || value instanceof RegExpValue) &&
  (value as { constructor?: { name?: string } }).constructor?.name === 'Object'

const isDate = (value: unknown): value is Date => Object.prototype.toString.call(value) === '[object Date]'
const isRegExp = (value: unknown): value is RegExp => Object.prototype.toString.call(value) === '[object RegExp]'

/** A value as the server takes it. Members that are undefined are left out. */
export function encode(value: unknown): unknown {
  if (isDate(value)) return { $date: value.getTime() }
  if (value instanceof ServerDate) return { $date: { offset: value.offset } }
  if (isRegExp(value)) return { $regularExpression: { pattern: value.source, options: value.flags } }
  if (value instanceof RegExpValue) return { $regularExpression: { pattern: value.regexp, options: value.options } }
  if (value instanceof Geometry) return value.toJSON()
  if (Array.isArray(value)) return value.map((each) => encode(each === undefined ? null : each))
  if (isPlain(value)) return encodeMembers(value)
  return value
}

function encodeMembers(value: Plain): Plain {
  const out: Record<string, unknown> = {}
  Object.keys(value).forEach((name) => {
    if (value[name] !== undefined) out[name] = encode(value[name])
  })
  return out
}

/** What a leaf of a document is: dates, places, patterns, lists; anything but a plain object. */
export const isLeaf = (value: unknown): boolean => !isPlain(value)

/** A value of the server's as programs know it. */
export function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode)
  if (!isPlain(value)) return value
  const names = Object.keys(value)
  const tag = names.length === 1 ? names[0] : undefined
  if (tag === '$date') return dateOf(value.$date)
  if (tag === '$numberLong' || tag === '$numberInt' || tag === '$numberDouble' || tag === '$numberDecimal')
    return Number(value[tag])
  if (names.length === 2 && typeof value.type === 'string' && Array.isArray(value.coordinates)) {
    const shape = SHAPES[value.type]
    if (shape !== undefined) return shape(value.coordinates)
  }
  const out: Record<string, unknown> = {}
  names.forEach((name) => {
    out[name] = decode(value[name])
  })
  return out
}

const dateOf = (content: unknown): Date =>
  new Date(isPlain(content) ? Number(content.$numberLong) : (content as number | string))
