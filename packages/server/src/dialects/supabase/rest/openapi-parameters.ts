/** The parameters section of the API's description: those of every relation, and each relation's own. */
import type { Relation } from '../../../db/catalog/catalog.ts'
import type { Json, JsonObject } from '../../../kernel/json.ts'

/** Body and filters of one relation. */
export const relationParameters = (relation: Relation): readonly (readonly [string, Json])[] => [
  [
    `body.${relation.name}`,
    {
      name: relation.name,
      in: 'body',
      required: false,
      ...summary(relation.description),
      schema: { $ref: `#/definitions/${relation.name}` },
    },
  ],
  ...relation.columns.map(
    (column) =>
      [
        `rowFilter.${relation.name}.${column.name}`,
        { name: column.name, in: 'query', required: false, type: 'string', ...summary(column.description) },
      ] as const,
  ),
]

const summary = (text: string | null): JsonObject => (text === null ? {} : { description: text })

const header = (name: string, description: string, values?: readonly string[]): JsonObject => ({
  name,
  in: 'header',
  description,
  required: false,
  type: 'string',
  ...(values === undefined ? {} : { enum: values }),
})

const queryParameter = (name: string, description: string): JsonObject => ({
  name,
  in: 'query',
  description,
  required: false,
  type: 'string',
})

const RETURNS = ['return=representation', 'return=minimal', 'return=none']

/** Parameters that every relation shares. */
export const COMMON_PARAMETERS: readonly (readonly [string, Json])[] = [
  ['preferParams', header('Prefer', 'Preference', ['params=single-object'])],
  ['preferReturn', header('Prefer', 'Preference', RETURNS)],
  ['preferCount', header('Prefer', 'Preference', ['count=none'])],
  [
    'preferPost',
    header('Prefer', 'Preference', [...RETURNS, 'resolution=ignore-duplicates', 'resolution=merge-duplicates']),
  ],
  ['select', queryParameter('select', 'Filtering Columns')],
  ['on_conflict', queryParameter('on_conflict', 'On Conflict')],
  ['order', queryParameter('order', 'Ordering')],
  ['range', header('Range', 'Limiting and Pagination')],
  ['rangeUnit', { ...header('Range-Unit', 'Limiting and Pagination'), default: 'items' }],
  ['offset', queryParameter('offset', 'Limiting and Pagination')],
  ['limit', queryParameter('limit', 'Limiting and Pagination')],
]
