/** Tables of the message bench: one that is followed, one that is not, and one in a database of its own. */
import { sql } from './lib/product.js'

/** Members of the room: the subscribers, each a user of its own. */
export const MEMBERS = 200

const tableSql = (name) => `
create table public.${name} (
  id bigint generated always as identity primary key,
  room integer not null,
  body text not null,
  at timestamptz not null default now()
);`

const SCHEMA = `
create table public.members (uid uuid, room integer, primary key (uid, room));
insert into public.members
select ('00000000-0000-4000-8000-' || lpad(u::text, 12, '0'))::uuid, 1 from generate_series(0, ${MEMBERS - 1}) as u;
alter table public.members enable row level security;
create policy own on public.members for select to authenticated using (uid = (select auth.uid()));
grant select on public.members to authenticated;
${tableSql('live_messages')}
${tableSql('quiet_messages')}
alter table public.live_messages enable row level security;
create policy members on public.live_messages to authenticated
using (room in (select m.room from public.members as m where m.uid = (select auth.uid())))
with check (room in (select m.room from public.members as m where m.uid = (select auth.uid())));
grant select, insert on public.live_messages to authenticated;
alter publication supabase_realtime add table public.live_messages;`

/** The database beside the product's: its changes are never decoded. */
export const OTHER_DATABASE = 'bench_elsewhere'

export const prepareMessages = async (product) => {
  await sql(product, SCHEMA)
  await sql(product, `create database ${OTHER_DATABASE}`)
  await sql(product, tableSql('quiet_messages'), OTHER_DATABASE)
}
