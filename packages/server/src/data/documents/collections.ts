/** Collections as a whole: made, dropped, permitted, indexed. The work is the database's own functions, so SQL can do the same. */
import type { Caller } from '../../identity/caller.ts'
import { type Statement, sql } from '../../sql/sql.ts'
import { denied, isTrusted } from './access.ts'
import type { Collections } from './documents.ts'
import { documentFailure } from './failures.ts'
import type { MetadataStore } from './metadata.ts'
import type { Runner } from './runner.ts'

export const createCollections = (runner: Runner, metadata: MetadataStore): Collections => {
  const run = async (caller: Caller, name: string, statement: Statement): Promise<void> => {
    if (!isTrusted(caller)) throw denied()
    try {
      await runner.write(caller, 'read', (batch) => batch([statement]))
    } catch (error) {
      throw documentFailure(error, name)
    } finally {
      metadata.forget(name)
    }
  }
  return {
    create: (caller, name, permission = 'PRIVATE') =>
      run(
        caller,
        name,
        sql('documents.create')`select cloud.create_collection(${name}, ${JSON.stringify(permission)}::jsonb)`,
      ),
    drop: (caller, name) => run(caller, name, sql('documents.drop')`select cloud.drop_collection(${name})`),
    list: async (caller) => {
      if (!isTrusted(caller)) throw denied()
      return metadata.list()
    },
    setPermission: (caller, name, permission) =>
      run(
        caller,
        name,
        sql('documents.permit')`select cloud.set_permission(${name}, ${JSON.stringify(permission)}::jsonb)`,
      ),
    createIndex: (caller, name, { name: index, fields, unique }) =>
      run(
        caller,
        name,
        sql('documents.index')`
          select cloud.create_index(${name}, ${index}, ${JSON.stringify(fields)}::jsonb, ${unique})`,
      ),
    dropIndex: (caller, name, index) =>
      run(caller, name, sql('documents.drop_index')`select cloud.drop_index(${name}, ${index})`),
  }
}
