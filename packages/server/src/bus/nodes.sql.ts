/** Statements on teahouse.node. */
import { type Statement, sql } from '../sql/sql.ts'

/** What a node says of itself. */
export interface NodeFacts {
  readonly name: string
  readonly host: string
  readonly pid: number
  readonly bus: string
  /** Where its files are: `disk` or `s3`. */
  readonly files: string
  /** Digests of the secrets with which it checks tokens. */
  readonly secrets: readonly string[]
}

/** Also after a crash of the database, which forgets all nodes. */
export const keepNode = (node: NodeFacts): Statement => sql('nodes.keep')`
  insert into teahouse.node (name, host, pid, bus, files, secrets)
  values (${node.name}, ${node.host}, ${node.pid}, ${node.bus}, ${node.files}, ${node.secrets})
  on conflict (name) do update
     set seen_at = clock_timestamp()`

export const otherNodes = (name: string, seconds: number): Statement => sql('nodes.others')`
  select name, host, pid, bus, files, secrets
    from teahouse.node
   where name <> ${name}
     and seen_at > clock_timestamp() - make_interval(secs => ${seconds})
   order by name`

/** One's own row, and those of nodes that ended without a word long ago. */
export const removeNode = (name: string): Statement => sql('nodes.remove')`
  delete from teahouse.node
   where name = ${name}
      or seen_at < clock_timestamp() - interval '1 hour'`

/** Names the database among all databases that a broker may serve. */
export const databaseIdentity = (): Statement => sql('nodes.database')`
  select concat(control.system_identifier, '/', database.oid) as identity
    from pg_catalog.pg_control_system() as control,
         pg_catalog.pg_database as database
   where database.datname = pg_catalog.current_database()`
