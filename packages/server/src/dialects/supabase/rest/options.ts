/** OPTIONS: which methods a resource understands. */
import { DataError } from '../../../data/errors.ts'
import { mostSimilar } from '../../../data/similar.ts'
import type { Catalog } from '../../../db/catalog/catalog.ts'
import type { RestRequest } from './request.ts'
import type { HttpAnswer } from './respond.ts'

export const describeMethods = (rest: RestRequest, catalog: Catalog): HttpAnswer => ({
  status: 200,
  headers: [
    ['Allow', methodsOf(rest, catalog)],
    ['Access-Control-Allow-Origin', '*'],
  ],
  body: null,
})

const methodsOf = ({ resource, schema }: RestRequest, catalog: Catalog): string => {
  switch (resource.kind) {
    case 'root':
      return 'OPTIONS,GET,HEAD'
    case 'function': {
      const named = catalog.functionsNamed(schema, resource.name)
      if (named.length === 0) throw unknownFunction(schema, resource.name)
      return named.some((each) => each.volatility !== 'volatile') ? 'OPTIONS,GET,HEAD,POST' : 'OPTIONS,POST'
    }
    case 'relation':
      return relationMethods(schema, resource.name, catalog)
  }
}

const relationMethods = (schema: string, name: string, catalog: Catalog): string => {
  const relation = catalog.relation(schema, name)
  if (relation === undefined) {
    const names = catalog.relations.filter((each) => each.schema === schema).map((each) => each.name)
    throw new DataError({ kind: 'relation_unknown', schema, name, similar: mostSimilar(name, names) })
  }
  const { insertable, updatable, deletable, primaryKey } = relation
  const methods = ['OPTIONS', 'GET', 'HEAD']
  if (insertable) methods.push('POST')
  if (insertable && updatable && primaryKey.length > 0) methods.push('PUT')
  if (updatable) methods.push('PATCH')
  if (deletable) methods.push('DELETE')
  return methods.join(',')
}

const unknownFunction = (schema: string, name: string): DataError =>
  new DataError({ kind: 'function_unknown', schema, name, keys: [], body: null, similar: null })
