-- The second source of the change feed, for a login that may not read the write-ahead log: triggers on the carried tables write rows here,
-- and the leading node reads them, tells them and removes them.

create table teahouse.outbox_state (
  single boolean primary key default true check (single),
  active boolean not null default false,
  -- Nobody reads any more when this is long ago; then nothing is recorded, so that the table never fills the disk.
  seen_at timestamptz not null default clock_timestamp(),
  -- How many times rows were taken.
  position bigint not null default 0
);
insert into teahouse.outbox_state default values;

-- What a table looked like when its rows were written. `columns` holds [name, type, modifier, part of the replica identity, place in the row].
create table teahouse.outbox_shape (
  id integer generated always as identity primary key,
  relid oid not null,
  fingerprint text not null,
  told oid not null,
  schema text not null,
  name text not null,
  identity "char" not null,
  columns jsonb not null
);
create index outbox_shape_relid on teahouse.outbox_shape (relid, fingerprint);

create table teahouse.outbox (
  seq bigint generated always as identity primary key,
  xid xid8 not null default pg_current_xact_id(),
  at timestamptz not null default clock_timestamp(),
  -- I, U, D, T(runcate), S(chema)
  op "char" not null,
  shape integer,
  next text,
  old text
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

create function teahouse.outbox_is_open() returns boolean
  language sql volatile
  set search_path = ''
as $$
  select active and seen_at > clock_timestamp() - interval '1 hour' from teahouse.outbox_state
$$;

/* The shape of a table now, told under the name of `root`. Two writers may describe the same one twice: waiting for each other would be worse. */
create function teahouse.outbox_shape_of(target oid, root oid) returns integer
  language plpgsql
  set search_path = ''
as $$
declare
  described record;
  print text;
  known integer;
begin
  select class.oid as told, namespace.nspname as schema, class.relname as name, class.relreplident as identity,
         (select jsonb_agg(
                   jsonb_build_array(
                     attribute.attname, attribute.atttypid::bigint, attribute.atttypmod,
                     class.relreplident = 'f'
                       or attribute.attnum = any (coalesce((
                            select index.indkey::int2[]
                              from pg_catalog.pg_index as index
                             where index.indrelid = class.oid
                               and case class.relreplident when 'd' then index.indisprimary when 'i' then index.indisreplident else false end
                             limit 1), array[]::int2[])),
                     place.place)
                   order by attribute.attnum)
            from pg_catalog.pg_attribute as attribute
            join (select column_of.attname, row_number() over (order by column_of.attnum) - 1 as place
                    from pg_catalog.pg_attribute as column_of
                   where column_of.attrelid = target
                     and column_of.attnum > 0
                     and not column_of.attisdropped) as place on place.attname = attribute.attname
           where attribute.attrelid = class.oid
             and attribute.attnum > 0
             and not attribute.attisdropped
             and (attribute.attgenerated = ''
                  or (attribute.attgenerated = 's' and current_setting('server_version_num')::integer >= 180000))) as columns
    into described
    from pg_catalog.pg_class as class
    join pg_catalog.pg_namespace as namespace on namespace.oid = class.relnamespace
   where class.oid = root;
  print := md5(described::text);
  select shape.id into known from teahouse.outbox_shape as shape where shape.relid = target and shape.fingerprint = print order by shape.id limit 1;
  if known is null then
    insert into teahouse.outbox_shape (relid, fingerprint, told, schema, name, identity, columns)
    values (target, print, described.told, described.schema, described.name, described.identity, coalesce(described.columns, '[]'))
    returning id into known;
  end if;
  return known;
end
$$;

/* Before a statement: looks up once what its rows look like. 0 means that nobody wants them. */
create function teahouse.outbox_before() returns trigger
  language plpgsql
  security definer
  set search_path = ''
as $$
begin
  perform pg_catalog.set_config(
    'teahouse.shape_' || tg_relid,
    case when teahouse.outbox_is_open() then teahouse.outbox_shape_of(tg_relid, tg_relid) else 0 end::text,
    true);
  return null;
end
$$;

/* After each row. Values become text under the settings that the log's reader has, so that both sources write them alike. */
create function teahouse.outbox_row() returns trigger
  language plpgsql
  security definer
  set search_path = ''
  set datestyle = 'ISO, YMD'
  set timezone = 'UTC'
  set intervalstyle = 'postgres'
  set extra_float_digits = 1
  set bytea_output = 'hex'
  set xmloption = 'content'
as $$
declare
  shape integer;
begin
  if tg_argv[0] = '' then
    shape := nullif(pg_catalog.current_setting('teahouse.shape_' || tg_relid, true), '')::integer;
  end if;
  -- The statement may have named any table of a tree of partitions; and rows may be told under the name of the root.
  if shape is null and teahouse.outbox_is_open() then
    shape := teahouse.outbox_shape_of(tg_relid, case when tg_argv[0] = 'tree' then pg_catalog.pg_partition_root(tg_relid) else tg_relid end);
  end if;
  if shape > 0 then
    insert into teahouse.outbox (op, shape, next, old)
    values (left(tg_op, 1)::"char", shape,
            case when tg_op <> 'DELETE' then new::text end,
            case when tg_op <> 'INSERT' then old::text end);
  end if;
  return null;
end
$$;

create function teahouse.outbox_truncate() returns trigger
  language plpgsql
  security definer
  set search_path = ''
as $$
begin
  if teahouse.outbox_is_open() then
    insert into teahouse.outbox (op, shape) values ('T', teahouse.outbox_shape_of(tg_relid, tg_relid));
  end if;
  return null;
end
$$;

/* Puts triggers on the tables that the feed carries and takes them from others. Names that sort first let a row be told before what it causes. */
create function teahouse.outbox_sync() returns integer
  language plpgsql
  security definer
  set search_path = ''
as $$
declare
  item record;
  changed integer := 0;
  is_active boolean := (select active from teahouse.outbox_state);
begin
  for item in
    select tgrelid::regclass as name, array_agg(tgname) as triggers
      from pg_catalog.pg_trigger
     where tgname like '00\_teahouse\_outbox%'
       and tgparentid = 0
       and (not is_active or tgrelid not in (select relid from teahouse.feed_wanted()))
     group by tgrelid
  loop
    begin
      for i in 1 .. array_length(item.triggers, 1) loop
        execute format('drop trigger %I on %s', item.triggers[i], item.name);
      end loop;
      changed := changed + 1;
    exception when others then
      raise warning 'the triggers of % stay: %', item.name, sqlerrm;
    end;
  end loop;
  if not is_active then
    return changed;
  end if;
  for item in
    select class.oid::regclass as name, class.relkind as kind, class.relispartition as is_partition
      from teahouse.feed_wanted() as wanted
      join pg_catalog.pg_class as class on class.oid = wanted.relid
     where not exists (select 1 from pg_catalog.pg_trigger where tgrelid = class.oid and tgname = '00_teahouse_outbox')
  loop
    begin
      execute format('create trigger "00_teahouse_outbox_before" before insert or update or delete on %s for each statement execute function teahouse.outbox_before()', item.name);
      execute format('create trigger "00_teahouse_outbox" after insert or update or delete on %s for each row execute function teahouse.outbox_row(%L)', item.name, case when item.kind = 'p' then 'tree' when item.is_partition then 'leaf' else '' end);
      execute format('create trigger "00_teahouse_outbox_truncate" after truncate on %s for each statement execute function teahouse.outbox_truncate()', item.name);
      if item.kind = 'r' then
        execute format('alter table %s enable always trigger "00_teahouse_outbox_before", enable always trigger "00_teahouse_outbox", enable always trigger "00_teahouse_outbox_truncate"', item.name);
      end if;
      changed := changed + 1;
    exception when others then
      raise warning 'changes of % cannot be told: %', item.name, sqlerrm;
    end;
  end loop;
  return changed;
end
$$;

/* Another source tells the changes: no triggers, no rows. */
create function teahouse.outbox_close() returns void
  language plpgsql
  set search_path = ''
as $$
begin
  if (select active from teahouse.outbox_state) then
    update teahouse.outbox_state set active = false;
    perform teahouse.outbox_sync();
    delete from teahouse.outbox;
  end if;
end
$$;

/* Marks the place from which a changed schema, policy or grant is in force, in whichever source is read. */
create or replace function teahouse.feed_mark() returns event_trigger
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
  if teahouse.outbox_is_open() then
    insert into teahouse.outbox (op) values ('S');
  else
    perform pg_catalog.pg_logical_emit_message(true, 'teahouse.ddl', '');
  end if;
exception when others then
  raise warning 'the change feed could not follow this command: %', sqlerrm;
end
$$;

create function teahouse.outbox_ddl() returns event_trigger
  language plpgsql
  security definer
  set search_path = ''
as $$
begin
  if (select active from teahouse.outbox_state) then
    perform teahouse.outbox_sync();
  end if;
exception when others then
  raise warning 'the change feed could not follow this command: %', sqlerrm;
end
$$;

do $$
begin
  -- After teahouse_feed_ddl: events of a kind fire in the order of their names.
  create event trigger teahouse_outbox_ddl on ddl_command_end
    when tag in ('CREATE PUBLICATION', 'ALTER PUBLICATION', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
    execute function teahouse.outbox_ddl();
exception when insufficient_privilege then
  raise notice 'without event triggers the outbox looks for newly published tables now and then';
end
$$;
