/** The tables of a run with their policies, the triggers by which the database keeps its own ledger, and reading that ledger. */
import type pg from 'pg'
import { type Committed, type FinalRow, RULES } from './ledger.ts'

const TABLES = Object.keys(RULES)

const COMMON = `version int not null default 1, writer text not null, n int not null, body text`

/** Policies as applications write them: by owner, by membership, for everybody who is logged in. */
const tables = `
create table public.note (id bigint primary key, owner uuid not null, ${COMMON});
create table public.member (id bigint primary key, owner uuid not null, room int not null, ${COMMON});
create table public.post (id bigint primary key, room int not null, ${COMMON});
create table public.score (id bigint primary key, ${COMMON});
create table public.bulk (id bigint primary key, ${COMMON});
create table public.fence (id bigint primary key, ${COMMON});
create index on public.member (owner, room);
create policy own on public.note to authenticated using (owner = (select auth.uid())) with check (owner = (select auth.uid()));
create policy own on public.member for select to authenticated using (owner = (select auth.uid()));
create policy members on public.post for select to authenticated using (
  exists (select from public.member where member.room = post.room and member.owner = (select auth.uid())));
create policy everyone on public.score for select to authenticated using (true);
create policy everyone on public.bulk for select to authenticated using (true);
create policy everyone on public.fence for select to authenticated using (true);
`

/** Written by triggers in the transaction of the change itself: it holds exactly what committed. */
const ledger = `
create schema ledger;
create table ledger.committed (
  seq bigserial primary key, xid text not null, tbl text not null, id bigint not null, op text not null,
  version int not null, owner uuid, room int, writer text not null, n int not null);
create function ledger.note_down() returns trigger language plpgsql security definer as $$
declare
  row jsonb := to_jsonb(case when tg_op = 'DELETE' then old else new end);
begin
  insert into ledger.committed (xid, tbl, id, op, version, owner, room, writer, n)
  values (pg_current_xact_id()::text, tg_table_name, (row->>'id')::bigint, tg_op, (row->>'version')::int,
          (row->>'owner')::uuid, (row->>'room')::int, row->>'writer', (row->>'n')::int);
  return null;
end $$;
`

const perTable = (table: string): string => `
alter table public.${table} enable row level security;
alter table public.${table} replica identity full;
grant select, insert, update, delete on public.${table} to authenticated, service_role;
create trigger note_down after insert or update or delete on public.${table} for each row execute function ledger.note_down();
`

/** Makes everything; the tables are published last. */
export const createSchema = async (client: pg.Client): Promise<void> => {
  await client.query(`${tables}${ledger}${TABLES.map(perTable).join('')}
    alter publication supabase_realtime add table ${TABLES.map((table) => `public.${table}`).join(', ')};`)
}

/** Empties everything for another round. */
export const emptyTables = async (client: pg.Client): Promise<void> => {
  await client.query(`truncate ${TABLES.map((table) => `public.${table}`).join(', ')}, ledger.committed`)
}

/** What the database committed, as it noted down itself. */
export const readCommitted = async (client: pg.Client): Promise<readonly Committed[]> => {
  const { rows } = await client.query(
    'select seq::int, xid, tbl as table, id::int, op, version, owner, room, writer, n from ledger.committed order by seq',
  )
  // The columns are those of the statement above.
  return rows as Committed[]
}

export const readFinalRows = async (client: pg.Client): Promise<readonly FinalRow[]> => {
  const column = (table: string, name: string) => (HAS[name]?.includes(table) ? name : 'null')
  const parts = TABLES.map(
    (table) => `select '${table}' as table, id::int, version, ${column(table, 'owner')}::uuid as owner,
                       ${column(table, 'room')}::int as room from public.${table}`,
  )
  const { rows } = await client.query(parts.join(' union all '))
  // The columns are those of the statement above.
  return rows as FinalRow[]
}

const HAS: Readonly<Record<string, readonly string[]>> = { owner: ['note', 'member'], room: ['member', 'post'] }

/** Whether nothing that clients began is still running: what then is not in the database never will be. */
export const isSettled = async (client: pg.Client): Promise<boolean> => {
  const { rows } = await client.query(
    `select count(*)::int as running from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
        and state <> 'idle' and (backend_xid is not null or query ~* '^\\s*(insert|update|delete|with|begin|commit)')`,
  )
  return rows[0]?.running === 0
}
