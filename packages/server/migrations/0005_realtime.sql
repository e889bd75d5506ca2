-- Realtime: what clients may see of the change feed (publication supabase_realtime), what the server itself reads (publication teahouse_feed),
-- and messages that SQL sends to channels.

create schema if not exists realtime;
grant usage on schema realtime to anon, authenticated, service_role;

-- Messages to channels. Rows are read from the write-ahead log; policies on this table decide who may join, send to and track in private channels.
create table realtime.messages (
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  updated_at timestamp without time zone not null default now(),
  inserted_at timestamp without time zone not null default now(),
  id uuid not null default gen_random_uuid(),
  binary_payload bytea,
  primary key (id, inserted_at)
);
create index messages_inserted_at_topic_index on realtime.messages (inserted_at desc, topic)
  where extension = 'broadcast' and private is true;
alter table realtime.messages enable row level security;
grant select, insert, update on realtime.messages to anon, authenticated, service_role;

/* The channel that is being asked about, for policies on realtime.messages. */
create function realtime.topic() returns text
  language sql stable
as $$
  select nullif(current_setting('realtime.topic', true), '')
$$;

/* Sends a JSON message to everyone in a channel once the transaction commits. A message that cannot be sent never fails its transaction. */
create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
  language plpgsql
as $$
declare
  message_id uuid := gen_random_uuid();
  body jsonb := payload;
begin
  if jsonb_typeof(body) = 'object' and not body ? 'id' then
    body := jsonb_set(body, '{id}', to_jsonb(message_id));
  end if;
  perform set_config('realtime.topic', topic, true);
  insert into realtime.messages (id, payload, event, topic, private, extension)
  values (message_id, body, event, topic, private, 'broadcast');
exception when others then
  raise warning 'the realtime message was not sent: %', sqlerrm;
end
$$;

/* Sends bytes to everyone in a channel. */
create function realtime.send_binary(payload bytea, event text, topic text, private boolean default true) returns void
  language plpgsql
as $$
begin
  perform set_config('realtime.topic', topic, true);
  insert into realtime.messages (binary_payload, event, topic, private, extension)
  values (payload, event, topic, private, 'broadcast');
exception when others then
  raise warning 'the realtime message was not sent: %', sqlerrm;
end
$$;

/* For row triggers: tells a channel what happened to a row. */
create function realtime.broadcast_changes(
  topic_name text, event_name text, operation text, table_name text, table_schema text,
  new record, old record, level text default 'ROW'
) returns void
  language plpgsql
as $$
begin
  if level = 'STATEMENT' then
    raise exception 'broadcast_changes works in row triggers only';
  end if;
  if operation not in ('INSERT', 'UPDATE', 'DELETE') then
    raise exception 'broadcast_changes does not know the operation %', operation;
  end if;
  perform realtime.send(
    jsonb_build_object(
      'schema', table_schema,
      'table', table_name,
      'operation', operation,
      'record', case when operation <> 'DELETE' then to_jsonb(new) end,
      'old_record', case when operation <> 'INSERT' then to_jsonb(old) end
    ),
    event_name, topic_name
  );
end
$$;

grant execute on all functions in schema realtime to anon, authenticated, service_role;

-- Tables that the server reads besides the published ones, for example membership tables that policies look into.
create table teahouse.feed_watch (
  relid oid not null,
  reason text not null,
  primary key (relid, reason)
);

-- Tables whose replica identity was widened, with the identity that their owner chose: clients see no more of old rows than that one shows.
create table teahouse.feed_identity (
  relid oid primary key,
  own_identity "char" not null,
  own_index oid
);

do $$
begin
  if not exists (select 1 from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
    create publication supabase_realtime;
  end if;
  if not exists (select 1 from pg_catalog.pg_publication where pubname = 'teahouse_feed') then
    create publication teahouse_feed with (publish = 'insert, update, delete, truncate', publish_via_partition_root = true);
  end if;
  if current_setting('server_version_num')::integer >= 180000 then
    execute 'alter publication teahouse_feed set (publish_generated_columns = stored)';
  end if;
end
$$;

/* Tables that the feed must carry. `for all tables` means the user's tables, not the product's own. */
create function teahouse.feed_wanted() returns table (relid oid)
  language sql stable
  set search_path = ''
as $$
  select published.relid
    from pg_catalog.pg_publication as publication,
         lateral pg_catalog.pg_get_publication_tables(publication.pubname) as published
    join pg_catalog.pg_class as class on class.oid = published.relid
   where publication.pubname = 'supabase_realtime'
     and class.relnamespace not in (select oid from pg_catalog.pg_namespace where nspname = 'teahouse')
     and (not publication.puballtables
          or class.relnamespace not in (select oid from pg_catalog.pg_namespace where nspname in ('auth', 'storage', 'realtime', 'im', 'cloud')))
  union
  select watch.relid
    from teahouse.feed_watch as watch
    join pg_catalog.pg_class as class on class.oid = watch.relid
   where class.relpersistence = 'p'
  union
  select 'realtime.messages'::regclass
$$;

/*
 * Brings the publication teahouse_feed in line with what is wanted, and widens the replica identity where old rows are needed: with row security
 * they decide who may see a delete, and without a key Postgres would refuse updates of a published table.
 */
create function teahouse.feed_sync() returns integer
  language plpgsql
  security definer
  set search_path = ''
as $$
declare
  item record;
  changed integer := 0;
begin
  for item in
    select present.prrelid::regclass as name, present.prrelid as relid
      from pg_catalog.pg_publication_rel as present
      join pg_catalog.pg_publication as publication on publication.oid = present.prpubid
     where publication.pubname = 'teahouse_feed'
       and present.prrelid not in (select relid from teahouse.feed_wanted())
  loop
    execute format('alter publication teahouse_feed drop table %s', item.name);
    perform teahouse.feed_restore_identity(item.relid);
    changed := changed + 1;
  end loop;
  for item in
    select wanted.relid::regclass as name
      from teahouse.feed_wanted() as wanted
     where wanted.relid not in (
       select present.prrelid
         from pg_catalog.pg_publication_rel as present
         join pg_catalog.pg_publication as publication on publication.oid = present.prpubid
        where publication.pubname = 'teahouse_feed')
  loop
    begin
      execute format('alter publication teahouse_feed add table %s', item.name);
      changed := changed + 1;
    exception when others then
      raise warning 'changes of % cannot be told: %', item.name, sqlerrm;
    end;
  end loop;
  for item in
    select class.oid as relid, class.oid::regclass as name, class.relreplident as identity
      from teahouse.feed_wanted() as wanted
      join pg_catalog.pg_class as class on class.oid = wanted.relid
     where class.relreplident <> 'f'
       and class.oid <> 'realtime.messages'::regclass
       and (class.relrowsecurity
            or class.relreplident = 'n'
            or (class.relreplident = 'd'
                and not exists (select 1 from pg_catalog.pg_index where indrelid = class.oid and indisprimary)))
  loop
    begin
      insert into teahouse.feed_identity (relid, own_identity, own_index)
      values (item.relid, item.identity,
              (select indexrelid from pg_catalog.pg_index where indrelid = item.relid and indisreplident limit 1))
      on conflict (relid) do update set own_identity = excluded.own_identity, own_index = excluded.own_index;
      execute format('alter table %s replica identity full', item.name);
      changed := changed + 1;
    exception when others then
      raise warning 'the replica identity of % stays as it is: %', item.name, sqlerrm;
    end;
  end loop;
  return changed;
end
$$;

/* Gives a table back the replica identity that its owner chose. */
create function teahouse.feed_restore_identity(relid oid) returns void
  language plpgsql
  set search_path = ''
as $$
declare
  own record;
begin
  delete from teahouse.feed_identity as identity
   where identity.relid = feed_restore_identity.relid
  returning identity.own_identity, identity.own_index into own;
  if not found or not exists (select 1 from pg_catalog.pg_class where oid = feed_restore_identity.relid) then
    return;
  end if;
  if own.own_identity = 'i' and own.own_index is not null then
    execute format('alter table %s replica identity using index %I', relid::regclass,
                   (select relname from pg_catalog.pg_class where oid = own.own_index));
  elsif own.own_identity = 'n' then
    execute format('alter table %s replica identity nothing', relid::regclass);
  elsif own.own_identity = 'd' then
    execute format('alter table %s replica identity default', relid::regclass);
  end if;
exception when others then
  raise warning 'the replica identity of % stays as it is: %', relid::regclass, sqlerrm;
end
$$;

/* Adds a table to the feed for a reason of the server's own; the table need not be published to clients. */
create function teahouse.feed_watch(watched regclass, why text) returns void
  language plpgsql
  set search_path = ''
as $$
begin
  insert into teahouse.feed_watch (relid, reason) values (watched, why) on conflict do nothing;
  perform teahouse.feed_sync();
end
$$;

/* Marks the place in the log from which a changed schema, policy or grant is in force. */
create function teahouse.feed_mark() returns event_trigger
  language plpgsql
  security definer
  set search_path = ''
as $$
begin
  if tg_event = 'ddl_command_end' and not exists (
    select 1
      from pg_catalog.pg_event_trigger_ddl_commands() as command
     where command.schema_name is distinct from 'pg_temp'
  ) then
    return;
  end if;
  perform pg_catalog.pg_logical_emit_message(true, 'teahouse.ddl', '');
exception when others then
  raise warning 'the change feed could not follow this command: %', sqlerrm;
end
$$;

/*
 * Runs after DDL. The owner may state a replica identity that is already in force because the server widened it; the catalogue shows no
 * difference then, so the statement's own words are read.
 */
create function teahouse.feed_ddl() returns event_trigger
  language plpgsql
  security definer
  set search_path = ''
as $$
declare
  item record;
  stated text;
begin
  if tg_tag = 'ALTER TABLE' and current_query() ~* 'replica\s+identity' then
    for item in
      select class.oid as relid, class.relname
        from pg_catalog.pg_event_trigger_ddl_commands() as command
        join pg_catalog.pg_class as class on class.oid = command.objid
        join teahouse.feed_identity as identity on identity.relid = class.oid
       where command.classid = 'pg_catalog.pg_class'::regclass
    loop
      stated := lower((regexp_match(
        current_query(),
        'alter\s+table\s+[^;]*' || regexp_replace(item.relname, '([^a-zA-Z0-9_])', '\\\1', 'g') || '"?\s+replica\s+identity\s+(full|default|nothing)',
        'i'))[1]);
      if stated is not null then
        update teahouse.feed_identity as identity
           set own_identity = case stated when 'full' then 'f' when 'nothing' then 'n' else 'd' end
         where identity.relid = item.relid;
      end if;
    end loop;
  end if;
  perform teahouse.feed_sync();
exception when others then
  raise warning 'the change feed could not follow this command: %', sqlerrm;
end
$$;

do $$
begin
  create event trigger teahouse_feed_ddl on ddl_command_end
    when tag in ('CREATE PUBLICATION', 'ALTER PUBLICATION', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE')
    execute function teahouse.feed_ddl();
  create event trigger teahouse_feed_mark_end on ddl_command_end execute function teahouse.feed_mark();
  create event trigger teahouse_feed_mark_drop on sql_drop execute function teahouse.feed_mark();
exception when insufficient_privilege then
  raise notice 'without event triggers the change feed looks for newly published tables now and then';
end
$$;

select teahouse.feed_sync();
