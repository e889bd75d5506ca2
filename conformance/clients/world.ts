/** The server that the clients talk to, and the clients where each of them lives: the mini-program one in its realm. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { createRealm, type Realm } from '../../packages/simulator/src/realm/realm.ts'
import { runTeahouse, type StartReport, startServer, type TestServer } from '../support/server.ts'
import { runChecks } from './checks.ts'
import { closeAll, type Loose, type Platform, type Result } from './tools.ts'

const SQL = `
create table public.tea (
  id int primary key, name text, price int, hot boolean, note text, tags text[], facts jsonb, season int4range,
  words tsvector);
create table public.cup (id int primary key, tea_id int references public.tea (id));
create table public.shelf (id int primary key, label text default 'plain');
alter publication supabase_realtime add table public.shelf;
grant all on public.tea, public.cup, public.shelf to anon;
insert into public.tea values
  (1, 'green', 10, true, 'fresh', '{leaf}', '{"region":"Fujian"}', '[1,3)', to_tsvector('english', 'a fresh leaf')),
  (2, 'black', 20, null, null, '{leaf,cake}', '{"region":"Anhui"}', '[4,6)', to_tsvector('english', 'a dark cake')),
  (3, 'oolong tea', 30, false, null, '{hot}', '{}', '[6,9)', to_tsvector('english', 'a ball'));
insert into public.cup values (1, 1), (2, 1), (3, 2);
insert into storage.buckets (id, name, public) values ('closed', 'closed', false), ('pictures', 'pictures', true);
create policy buckets on storage.buckets for all using (id <> 'closed') with check (id <> 'closed');
create policy files on storage.objects for all using (bucket_id <> 'closed') with check (bucket_id <> 'closed');
create function public.add(a int, b int) returns int language sql stable as 'select a + b';
create function public.announce(room text, n int) returns void language sql security definer
  as $$ select realtime.send(jsonb_build_object('n', n), 'announced', room, true) $$;
create table public.ledger (id int primary key, label text);
grant all on public.ledger to anon;
create function public.tell_ledger() returns trigger language plpgsql security definer as $$
begin
  perform realtime.broadcast_changes('lounge-ledger', tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
  return null;
end $$;
create trigger tell after insert or update or delete on public.ledger for each row execute function public.tell_ledger();
create policy lounge_read on realtime.messages for select to anon using (realtime.topic() like 'lounge%');
create policy lounge_write on realtime.messages for insert to anon with check (realtime.topic() like 'lounge%');
create function public.cheap(most int) returns setof public.tea language sql stable as 'select * from public.tea where price <= most';
`

export const startWorld = async (): Promise<TestServer> => {
  const server = await startServer()
  const made = await runTeahouse(['sql', '--data-dir', server.dataDir, '-c', SQL])
  if (made.code !== 0) throw new Error(made.stderr)
  const { url, serviceKey } = server.report
  const headers = { authorization: `Bearer ${serviceKey}`, apikey: serviceKey, 'content-type': 'image/png' }
  const body = await readFile(new URL('../chatroom/teapot.png', import.meta.url))
  const answer = await fetch(`${url}/storage/v1/object/pictures/teapot.png`, { method: 'POST', headers, body })
  if (!answer.ok) throw new Error(await answer.text())
  return server
}

const baseDir = fileURLToPath(new URL('..', import.meta.url))

export interface Phone {
  readonly realm: Realm
  open(): Loose
  file(text: string): Loose
}

/** A mini-program with the unmodified client, in a realm without fetch, Response, URL and WebSocket. */
export const openPhone = async ({ url, anonKey }: StartReport): Promise<Phone> => {
  const realm = await createRealm({ baseDir, entry: 'supabase-wechat-stable-v2' })
  const { createClient } = realm.require('supabase-wechat-stable-v2') as {
    createClient(url: string, key: string): Loose
  }
  let files = 0
  return {
    realm,
    open: () => createClient(url, anonKey),
    file: (text) => {
      files += 1
      const path = `wx.env.USER_DATA_PATH + '/${files}.txt'`
      realm.evaluate(`wx.getFileSystemManager().writeFileSync(${path}, ${JSON.stringify(text)}, 'utf8')`)
      return { tempFilePath: realm.evaluate(path) }
    },
  }
}

export const checkPhone = async (report: StartReport): Promise<readonly Result[]> => {
  const phone = await openPhone(report)
  const opened: Loose[] = []
  const platform: Platform = {
    wx: true,
    close: () => closeAll(opened),
    file: (text) => phone.file(text),
    open: () => {
      const client = phone.open()
      opened.push(client)
      return client
    },
  }
  try {
    return await runChecks(platform)
  } finally {
    phone.realm.close()
  }
}
