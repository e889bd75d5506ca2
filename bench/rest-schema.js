/** Tables, policies and rows of the REST bench. */
import { sql } from './lib/product.js'

const USERS = 1000

/** Rooms that each user is a member of. */
export const ROOMS_OF_USER = 20

/** The room of a user's `index`th membership: spread, so that neighbours share some. */
export const roomOfUser = (user, index, { rooms }) => ((user * 7 + index * 13) % rooms) + 1

const SCHEMA = `
create table public.members (uid uuid, room integer, primary key (uid, room));
create table public.messages (
  id bigint primary key,
  room integer not null,
  author uuid,
  body text not null,
  at timestamptz not null default now()
);
create index on public.messages (room, id);
create table public.notes (
  id bigint generated always as identity primary key,
  room integer not null,
  body text not null,
  at timestamptz not null default now()
);
alter table public.members enable row level security;
alter table public.messages enable row level security;
alter table public.notes enable row level security;
create policy own on public.members for select to authenticated using (uid = (select auth.uid()));
create policy read on public.messages for select to authenticated
using (room in (select m.room from public.members as m where m.uid = (select auth.uid())));
create policy write on public.notes for insert to authenticated
with check (room in (select m.room from public.members as m where m.uid = (select auth.uid())));
grant select on public.members, public.messages to authenticated;
grant insert on public.notes to authenticated;`

const fill = ({ rooms, messages }) => `
insert into public.members
select ('00000000-0000-4000-8000-' || lpad(u::text, 12, '0'))::uuid, (u * 7 + i * 13) % ${rooms} + 1
from generate_series(0, ${USERS - 1}) as u, generate_series(0, ${ROOMS_OF_USER - 1}) as i;
insert into public.messages (id, room, author, body)
select r + ${rooms} * n, r, ('00000000-0000-4000-8000-' || lpad((n % ${USERS})::text, 12, '0'))::uuid, repeat(md5(n::text), 3)
from generate_series(1, ${rooms}) as r, generate_series(0, ${messages - 1}) as n;`

/** Makes everything; answers how many rooms there are. */
export const prepareRest = async (product, quick) => {
  const size = quick ? { rooms: 50, messages: 50 } : { rooms: 500, messages: 200 }
  await sql(product, SCHEMA)
  await sql(product, fill(size))
  await sql(product, 'vacuum (analyze) public.messages')
  await sql(product, 'vacuum (analyze) public.members')
  return size
}
