/** Tables of the live bench: followed ones under several policies, one that is not followed, and one in a database of its own. */
import { sql } from './lib/product.js'

/** Members of the room: the subscribers, each a user of its own. */
export const MEMBERS = 200

/** Members of each room of `live_said`. */
export const ROOM_SIZE = 10
const USERS = 11_000

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
create table public.live_owned (id bigint generated always as identity primary key, owner uuid not null, body text not null);
alter table public.live_owned enable row level security;
create policy own on public.live_owned for select to authenticated using (owner = (select auth.uid()));
create table public.room_members (uid uuid, room integer, primary key (uid, room));
insert into public.room_members
select ('00000000-0000-4000-8000-' || lpad(u::text, 12, '0'))::uuid, u / ${ROOM_SIZE} from generate_series(0, ${USERS - 1}) as u;
alter table public.room_members enable row level security;
create policy own on public.room_members for select to authenticated using (uid = (select auth.uid()));
create table public.live_said (id bigint generated always as identity primary key, room integer not null, body text not null);
alter table public.live_said enable row level security;
create policy members on public.live_said for select to authenticated
using (exists (select from public.room_members as m where m.room = live_said.room and m.uid = (select auth.uid())));
create table public.live_open (id bigint generated always as identity primary key, room integer not null, body text not null);
alter publication supabase_realtime add table public.live_messages, public.live_owned, public.live_said, public.live_open;`

/** The database beside the product's: its changes are never decoded. */
export const OTHER_DATABASE = 'bench_elsewhere'

export const prepareMessages = async (product) => {
  await sql(product, SCHEMA)
  await sql(product, `create database ${OTHER_DATABASE}`)
  await sql(product, tableSql('quiet_messages'), OTHER_DATABASE)
}
