-- Document collections: one table each in the schema `cloud`, their permissions as row-level security, their indexes as generated key columns.

grant usage on schema cloud to anon, authenticated, service_role;

create sequence teahouse.collection_version;

create table teahouse.collection (
  name text primary key check (name ~ '^[A-Za-z0-9_\-一-鿿]{1,60}$' and name !~ '^pg_'),
  permission jsonb not null,
  -- The rule's conditions as trees, by operation; null for presets.
  rule jsonb,
  -- Changes with everything that a plan of a query depends on.
  version bigint not null default nextval('teahouse.collection_version'),
  created_at timestamptz not null default now()
);

create table teahouse.collection_index (
  id integer primary key generated always as identity,
  collection text not null references teahouse.collection (name) on update cascade on delete cascade,
  name text not null check (name ~ '^[A-Za-z0-9_.\-一-鿿]{1,40}$'),
  -- [{"field": "a.b", "direction": 1 | -1 | "2dsphere"}, …]
  fields jsonb not null,
  is_unique boolean not null,
  -- Whether some document has an array at one of the fields: then the key columns alone do not find it.
  multikey boolean not null default false,
  -- Whether some key was cut: then the columns alone do not order.
  truncated boolean not null default false,
  unique (collection, name)
);

-- Keys of documents that one key column cannot hold, because there is an array on the path.
create table teahouse.index_entry (
  index_id integer not null references teahouse.collection_index (id) on delete cascade,
  field integer not null,
  key bytea not null,
  document text collate "C" not null,
  primary key (index_id, field, key, document)
);
create index index_entry_document on teahouse.index_entry (index_id, document);

-- One row per key of a unique index, whether it came out of an array or not. The key is a digest: keys have no greatest length.
create table teahouse.unique_entry (
  index_id integer not null references teahouse.collection_index (id) on delete cascade,
  key bytea not null,
  document text collate "C" not null,
  primary key (index_id, key)
);
create index unique_entry_document on teahouse.unique_entry (index_id, document);

/* What a request needs to know of a collection, and nothing that it may not. */
create function bson.collection_version(wanted text) returns bigint
  language sql stable security definer
  set search_path = ''
as $$
  select collection.version from teahouse.collection where collection.name = wanted
$$;

/* The documents with arrays whose keys lie in low <= key < high. Says nothing but keys of documents, which policies then decide about. */
create function bson.index_documents(wanted integer, wanted_field integer, low bytea, high bytea) returns text[]
  language sql stable security definer
  set search_path = ''
as $$
  select coalesce(array_agg(distinct entry.document), '{}')
    from teahouse.index_entry as entry
   where entry.index_id = wanted
     and entry.field = wanted_field
     and entry.key >= low
     and entry.key < high
$$;

/* Keeps server-side fields what they are, whoever writes. */
create function teahouse.guard_document() returns trigger
  language plpgsql
  set search_path = ''
as $$
declare
  trusted boolean := not pg_catalog.row_security_active(tg_relid)
    or exists (select from pg_catalog.pg_class where oid = tg_relid and relowner = (select oid from pg_catalog.pg_roles where rolname = current_user));
begin
  if jsonb_typeof(new.doc) <> 'object' then
    raise exception 'a document is an object' using errcode = '22023';
  end if;
  if jsonb_typeof(new.doc -> '_id') = 'number' then
    new._id := new.doc ->> '_id';
  else
    new.doc := new.doc - '_id';
  end if;
  if new.doc ? '_openid' then new.doc := new.doc - '_openid'; end if;
  if pg_catalog.pg_column_size(new.doc) > 16777216 then
    raise exception 'a document may have 16 MB' using errcode = '54000';
  end if;
  if tg_op = 'INSERT' then
    if not trusted then new._openid := auth.openid(); end if;
    return new;
  end if;
  if new._id <> old._id or new.doc -> '_id' is distinct from old.doc -> '_id' then
    raise exception 'the field _id is immutable' using errcode = '22023';
  end if;
  if not trusted then new._openid := old._openid; end if;
  return new;
end
$$;

/* Permissions for collections are presets by name, or rules. */
create function teahouse.read_permission(given jsonb) returns jsonb
  language plpgsql immutable
  set search_path = ''
as $$
declare
  preset text;
  part text;
  content jsonb;
begin
  if jsonb_typeof(given) = 'string' then
    preset := case given #>> '{}'
      when '所有用户可读，仅创建者可读写' then 'READONLY'
      when '所有用户可读,仅创建者可读写' then 'READONLY'
      when '仅创建者可读写' then 'PRIVATE'
      when '所有用户可读' then 'ADMINWRITE'
      when '所有用户不可读写' then 'ADMINONLY'
      else upper(given #>> '{}')
    end;
    if preset in ('READONLY', 'PRIVATE', 'ADMINWRITE', 'ADMINONLY') then return to_jsonb(preset); end if;
    raise exception 'there is no permission "%"', given #>> '{}' using errcode = '22023';
  end if;
  if jsonb_typeof(given) is distinct from 'object' then
    raise exception 'a permission is the name of a preset, or a rule' using errcode = '22023';
  end if;
  for part, content in select each.key, each.value from jsonb_each(given) as each loop
    if part not in ('read', 'write', 'create', 'update', 'delete') then
      raise exception 'a rule has read, write, create, update and delete, not "%"', part using errcode = '22023';
    end if;
    if jsonb_typeof(content) not in ('boolean', 'string') then
      raise exception 'the rule "%" should be true, false or a condition', part using errcode = '22023';
    end if;
  end loop;
  return given;
end
$$;

/* The condition of one operation as a tree: what is not there is false, and create, update and delete fall back to write. */
create function teahouse.rule_tree(permission jsonb, operation text) returns jsonb
  language sql immutable
  set search_path = ''
as $$
  select case jsonb_typeof(content)
           when 'string' then bson.parse_rule(content #>> '{}')
           else jsonb_build_object('op', 'literal', 'value', coalesce(content, 'false'))
         end
    from (select coalesce(permission -> operation, case when operation <> 'read' then permission -> 'write' end) as content) as found
$$;

create function teahouse.install_policies(collection text, permission jsonb, rule jsonb) returns void
  language plpgsql
  set search_path = ''
as $$
declare
  found text;
  readable text;
  creates text;
  updates text;
  deletes text;
  mine constant text := '((select auth.openid()) = _openid)';
begin
  for found in
    select policyname from pg_catalog.pg_policies where schemaname = 'cloud' and tablename = collection and policyname <> 'teahouse: owner'
  loop
    execute pg_catalog.format('drop policy %I on cloud.%I', found, collection);
  end loop;
  if rule is not null then
    creates := bson.rule_condition(rule -> 'create', 'new');
    updates := bson.rule_condition(rule -> 'update', 'old');
    deletes := bson.rule_condition(rule -> 'delete', 'old');
    -- Who may write without reading finds the rows of that one statement only; `updating` follows on rows that were locked and checked before.
    readable := pg_catalog.format(
      '(case coalesce((select pg_catalog.current_setting(''teahouse.op'', true)), '''') when ''update'' then %s when ''delete'' then %s when ''updating'' then true else %s end)',
      updates, deletes, bson.rule_condition(rule -> 'read', 'old'));
  elsif permission #>> '{}' in ('READONLY', 'ADMINWRITE') then
    readable := 'true';
  elsif permission #>> '{}' = 'PRIVATE' then
    readable := mine;
  end if;
  if rule is null and permission #>> '{}' in ('READONLY', 'PRIVATE') then
    creates := mine;
    updates := mine;
    deletes := mine;
  end if;
  if readable is not null then
    execute pg_catalog.format('create policy "teahouse: read" on cloud.%I for select to anon, authenticated using (%s)', collection, readable);
  end if;
  if creates is not null then
    execute pg_catalog.format('create policy "teahouse: create" on cloud.%I for insert to anon, authenticated with check (%s)', collection, creates);
    execute pg_catalog.format('create policy "teahouse: update" on cloud.%I for update to anon, authenticated using (%s) with check (true)', collection, updates);
    execute pg_catalog.format('create policy "teahouse: delete" on cloud.%I for delete to anon, authenticated using (%s)', collection, deletes);
  end if;
end
$$;

-- A collection that was dropped as a table is gone as a collection too: nothing may be found under its name later.
create function teahouse.forget_dropped_collections() returns void
  language sql security definer
  set search_path = ''
as $$
  delete from teahouse.collection
   where pg_catalog.to_regclass(pg_catalog.format('cloud.%I', name)) is null
$$;

/* Makes a collection. `permission` is the name of a preset (READONLY, PRIVATE, ADMINWRITE, ADMINONLY) or a security rule. */
create function cloud.create_collection(name text, permission jsonb) returns void
  language plpgsql security definer
  set search_path = ''
as $$
begin
  perform teahouse.forget_dropped_collections();
  if pg_catalog.to_regclass(pg_catalog.format('cloud.%I', name)) is not null then
    raise exception 'the collection "%" exists already', name using errcode = '42P07';
  end if;
  insert into teahouse.collection (name, permission) values (create_collection.name, '"ADMINONLY"');
  execute pg_catalog.format($ddl$
    create table cloud.%1$I (
      _id text collate "C" primary key default replace(pg_catalog.gen_random_uuid()::text, '-', ''),
      _openid text,
      doc jsonb not null default '{}',
      "$seq" bigint generated always as identity
    )$ddl$, name);
  execute pg_catalog.format('create unique index %1$I on cloud.%2$I ("$seq")', left(name, 40) || '$seq', name);
  execute pg_catalog.format('create index %1$I on cloud.%2$I (_openid collate "C", "$seq")', left(name, 40) || '$openid', name);
  execute pg_catalog.format('alter table cloud.%1$I enable row level security, force row level security', name);
  execute pg_catalog.format('create policy "teahouse: owner" on cloud.%1$I to %2$I, service_role using (true) with check (true)', name, current_user);
  execute pg_catalog.format('revoke all on cloud.%1$I from anon, authenticated, service_role', name);
  execute pg_catalog.format('grant select, insert, update, delete on cloud.%1$I to anon, authenticated, service_role', name);
  execute pg_catalog.format('create trigger "teahouse_guard" before insert or update on cloud.%1$I for each row execute function teahouse.guard_document()', name);
  perform cloud.set_permission(name, permission);
end
$$;

create function cloud.create_collection(name text, permission text default 'PRIVATE') returns void
  language sql
  set search_path = ''
as $$
  select cloud.create_collection(name, case when permission like '{%' then permission::jsonb else to_jsonb(permission) end)
$$;

create function cloud.set_permission(name text, permission jsonb) returns void
  language plpgsql security definer
  set search_path = ''
as $$
declare
  wanted jsonb := teahouse.read_permission(set_permission.permission);
  trees jsonb;
begin
  if jsonb_typeof(wanted) = 'object' then
    trees := jsonb_build_object(
      'read', teahouse.rule_tree(wanted, 'read'),
      'create', teahouse.rule_tree(wanted, 'create'),
      'update', teahouse.rule_tree(wanted, 'update'),
      'delete', teahouse.rule_tree(wanted, 'delete'));
  end if;
  update teahouse.collection
     set permission = wanted, rule = trees, version = nextval('teahouse.collection_version')
   where collection.name = set_permission.name;
  if not found then
    raise exception 'there is no collection "%"', set_permission.name using errcode = '42P01';
  end if;
  perform teahouse.install_policies(set_permission.name, wanted, trees);
end
$$;

create function cloud.set_permission(name text, permission text) returns void
  language sql
  set search_path = ''
as $$
  select cloud.set_permission(name, case when permission like '{%' then permission::jsonb else to_jsonb(permission) end)
$$;

create function cloud.drop_collection(name text) returns void
  language plpgsql security definer
  set search_path = ''
as $$
begin
  delete from teahouse.collection where collection.name = drop_collection.name;
  if not found then
    raise exception 'there is no collection "%"', drop_collection.name using errcode = '42P01';
  end if;
  execute pg_catalog.format('drop table if exists cloud.%I', drop_collection.name);
end
$$;

/* The column in which a field of an index lies. */
create function teahouse.index_column(index_id integer, field integer) returns text
  language sql immutable
  set search_path = ''
as $$
  select pg_catalog.format('$k%s_%s', index_id, field)
$$;

/* What a document's path begins at: the document itself, unless the field is a column of its own. */
create function teahouse.index_root(path text[]) returns text
  language sql immutable
  set search_path = ''
as $$
  select case when path[1] in ('_id', '_openid') then 'bson.root(_id, _openid, doc)' else 'doc' end
$$;

create function cloud.create_index(collection text, name text, fields jsonb, is_unique boolean default false) returns void
  language plpgsql security definer
  set search_path = ''
as $$
declare
  made integer;
  item record;
  path text[];
  columns text[] := '{}';
  number integer;
begin
  if jsonb_typeof(fields) is distinct from 'array' or jsonb_array_length(fields) not between 1 and 31 then
    raise exception 'an index has 1 to 31 fields' using errcode = '22023';
  end if;
  if (select count(*) from teahouse.collection_index as i where i.collection = create_index.collection) >= 100 then
    raise exception 'a collection has at most 100 indexes' using errcode = '54000';
  end if;
  perform from teahouse.collection as c where c.name = create_index.collection for update;
  if not found then
    raise exception 'there is no collection "%"', create_index.collection using errcode = '42P01';
  end if;
  insert into teahouse.collection_index (collection, name, fields, is_unique)
  values (create_index.collection, create_index.name, create_index.fields, create_index.is_unique)
  returning id into made;
  for item in select each.value ->> 'field' as field, each.value ->> 'direction' as direction, each.ordinality::integer as place
                from jsonb_array_elements(fields) with ordinality as each loop
    if item.field is null or item.field = '' or item.field ~ '(^|\.)(\$|\.|$)' or item.direction not in ('1', '-1', '2dsphere') then
      raise exception 'a field of an index is {"field": path, "direction": 1, -1 or "2dsphere"}' using errcode = '22023';
    end if;
    path := string_to_array(item.field, '.');
    if item.direction = '2dsphere' then
      for number in 1..4 loop
        execute pg_catalog.format('alter table cloud.%I add column %I float8 generated always as ((bson.geo_box(%s, %L::text[]))[%s]) stored',
          collection, teahouse.index_column(made, item.place) || '_' || number, teahouse.index_root(path), path, number);
      end loop;
      columns := columns || pg_catalog.format('%1$I, %2$I, %3$I, %4$I',
        teahouse.index_column(made, item.place) || '_2', teahouse.index_column(made, item.place) || '_1',
        teahouse.index_column(made, item.place) || '_4', teahouse.index_column(made, item.place) || '_3');
    else
      execute pg_catalog.format('alter table cloud.%I add column %I bytea generated always as (bson.index_key(%s, %L::text[])) stored',
        collection, teahouse.index_column(made, item.place), teahouse.index_root(path), path);
      columns := columns || pg_catalog.format('%I %s', teahouse.index_column(made, item.place), case item.direction when '-1' then 'desc' else 'asc' end);
    end if;
  end loop;
  execute pg_catalog.format('create index %I on cloud.%I (%s)', '$i' || made, collection, array_to_string(columns || case when fields -> -1 ->> 'direction' = '-1' then '"$seq" desc' else '"$seq"' end, ', '));
  perform teahouse.watch_index(collection, made, fields, is_unique);
  -- A table rewrite left no statistics for the new columns.
  execute pg_catalog.format('analyze cloud.%I', collection);
  update teahouse.collection as c set version = nextval('teahouse.collection_version') where c.name = create_index.collection;
end
$$;

/* A trigger that notes what the key columns cannot hold. Without arrays, long keys and uniqueness it never runs. */
create function teahouse.watch_index(collection text, made integer, fields jsonb, is_unique boolean) returns void
  language plpgsql
  set search_path = ''
as $$
declare
  odd text[] := '{}';
  place integer;
  before text;
  now_on text;
begin
  for place in select each.ordinality from jsonb_array_elements(fields) with ordinality as each where each.value ->> 'direction' <> '2dsphere' loop
    odd := odd || pg_catalog.format('%%1$s.%1$I = ''\xff'' or length(%%1$s.%1$I) > 800', teahouse.index_column(made, place));
  end loop;
  if cardinality(odd) = 0 then return; end if;
  now_on := case when is_unique then 'true' else pg_catalog.format(array_to_string(odd, ' or '), 'new') end;
  before := case when is_unique then 'true' else pg_catalog.format(array_to_string(odd, ' or '), 'old') end;
  execute pg_catalog.format('create trigger %I after insert on cloud.%I for each row when (%s) execute function teahouse.note_keys(%s)',
    '$i' || made || '_insert', collection, now_on, made);
  execute pg_catalog.format('create trigger %I after update on cloud.%I for each row when ((%s) or (%s)) execute function teahouse.note_keys(%s)',
    '$i' || made || '_update', collection, now_on, before, made);
  execute pg_catalog.format('create trigger %I after delete on cloud.%I for each row when (%s) execute function teahouse.note_keys(%s)',
    '$i' || made || '_delete', collection, before, made);
  execute pg_catalog.format('create trigger %I after truncate on cloud.%I for each statement execute function teahouse.forget_keys(%s)',
    '$i' || made || '_truncate', collection, made);
  execute pg_catalog.format('select teahouse.note_document(%s, _id, bson.root(_id, _openid, doc)) from cloud.%I as new where %s', made, collection, now_on);
end
$$;

create function teahouse.forget_keys() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  delete from teahouse.index_entry where index_id = tg_argv[0]::integer;
  delete from teahouse.unique_entry where index_id = tg_argv[0]::integer;
  return null;
end
$$;

create function teahouse.note_keys() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' then
    if new.doc = old.doc and new._openid is not distinct from old._openid then return null; end if;
  end if;
  if tg_op <> 'INSERT' then
    delete from teahouse.index_entry where index_id = tg_argv[0]::integer and document = old._id;
    delete from teahouse.unique_entry where index_id = tg_argv[0]::integer and document = old._id;
  end if;
  if tg_op <> 'DELETE' then
    perform teahouse.note_document(tg_argv[0]::integer, new._id, bson.root(new._id, new._openid, new.doc));
  end if;
  return null;
end
$$;

create function teahouse.note_document(wanted integer, id text, root jsonb) returns void
  language plpgsql
  set search_path = ''
as $$
declare
  index teahouse.collection_index;
  item record;
  keys bytea[];
  combined bytea[] := array[''::bytea];
  several boolean := false;
  long boolean := false;
begin
  select * into strict index from teahouse.collection_index as i where i.id = wanted;
  for item in select string_to_array(each.value ->> 'field', '.') as path, each.ordinality::integer as place
                from jsonb_array_elements(index.fields) with ordinality as each
               where each.value ->> 'direction' <> '2dsphere' loop
    keys := bson.index_keys(root, item.path);
    long := long or exists (select from unnest(keys) as k where length(k) > 800);
    if bson.index_key(root, item.path) = '\xff' then
      several := true;
      insert into teahouse.index_entry (index_id, field, key, document)
      select wanted, item.place, k, id from unnest(keys) as k on conflict do nothing;
    end if;
    if index.is_unique then
      -- Nothing on the path of an array counts as null.
      if cardinality(keys) = 0 then keys := array['\x05'::bytea]; end if;
      combined := array(select c || k from unnest(combined) as c, unnest(keys) as k);
    end if;
  end loop;
  if (several and not index.multikey) or (long and not index.truncated) then
    update teahouse.collection_index set multikey = multikey or several, truncated = truncated or long where collection_index.id = wanted;
    update teahouse.collection set version = nextval('teahouse.collection_version') where collection.name = index.collection;
  end if;
  if index.is_unique then
    -- Waits for whoever is about to take the same key.
    insert into teahouse.unique_entry (index_id, key, document)
    select wanted, sha256(c), id from (select distinct c from unnest(combined) as c order by c) as each on conflict do nothing;
    if exists (select from unnest(combined) as c join teahouse.unique_entry as u on u.index_id = wanted and u.key = sha256(c) and u.document <> id) then
      raise exception 'E11000 duplicate key error collection: % index: %', index.collection, index.name using errcode = '23505';
    end if;
  end if;
end
$$;

create function cloud.drop_index(collection text, name text) returns void
  language plpgsql security definer
  set search_path = ''
as $$
declare
  gone teahouse.collection_index;
  found text;
begin
  delete from teahouse.collection_index as i
   where i.collection = drop_index.collection and i.name = drop_index.name
  returning * into gone;
  if gone.id is null then
    raise exception 'there is no index "%" on "%"', drop_index.name, drop_index.collection using errcode = '42704';
  end if;
  for found in select tgname from pg_catalog.pg_trigger
                where tgrelid = pg_catalog.format('cloud.%I', collection)::regclass and tgname like '$i' || gone.id || '\_%' loop
    execute pg_catalog.format('drop trigger %I on cloud.%I', found, collection);
  end loop;
  execute pg_catalog.format('drop index cloud.%I', '$i' || gone.id);
  for found in select attname from pg_catalog.pg_attribute
                where attrelid = pg_catalog.format('cloud.%I', collection)::regclass and not attisdropped and attname like '$k' || gone.id || '\_%' loop
    execute pg_catalog.format('alter table cloud.%I drop column %I', collection, found);
  end loop;
  update teahouse.collection as c set version = nextval('teahouse.collection_version') where c.name = drop_index.collection;
end
$$;

revoke execute on all functions in schema cloud from public;
grant execute on all functions in schema cloud to service_role;
revoke execute on function bson.collection_version(text), bson.index_documents(integer, integer, bytea, bytea) from public;
grant execute on function bson.collection_version(text), bson.index_documents(integer, integer, bytea, bytea) to anon, authenticated, service_role;
