-- Files. The tables and functions that Supabase's scripts and policies name; the bytes themselves lie in the blob store under `version`.

create schema storage;
grant usage on schema storage to anon, authenticated, service_role;

create type storage.buckettype as enum ('STANDARD', 'ANALYTICS', 'VECTOR');

create table storage.buckets (
  id text primary key,
  name text not null,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  public boolean default false,
  avif_autodetection boolean default false,
  file_size_limit bigint,
  allowed_mime_types text[],
  owner_id text,
  type storage.buckettype not null default 'STANDARD'
);

create unique index bname on storage.buckets (name);

create table storage.objects (
  id uuid primary key default gen_random_uuid(),
  bucket_id text constraint "objects_bucketId_fkey" references storage.buckets (id),
  name text,
  owner uuid,
  created_at timestamptz default now(),
  updated_at timestamptz default now(),
  last_accessed_at timestamptz default now(),
  metadata jsonb,
  path_tokens text[] generated always as (string_to_array(name, '/')) stored,
  version text,
  owner_id text,
  user_metadata jsonb
);

comment on column storage.objects.version is 'Names the bytes in the blob store. A row without it has no bytes.';

create unique index bucketid_objname on storage.objects (bucket_id, name);
-- Listing compares by code point: under row-level security only leakproof operators can use an index, and a range is all that a prefix needs.
create index idx_objects_bucket_id_name on storage.objects (bucket_id, name collate "C");
create index objects_version_idx on storage.objects (version);
create index objects_owner_id_idx on storage.objects (owner_id) where owner_id is not null;

alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;

-- No truncate: row-level security does not watch it.
grant select, insert, update, delete on storage.buckets, storage.objects to anon, authenticated, service_role;

/* The folders above an object: `a/b/c.png` gives {a,b}. */
create function storage.foldername(name text) returns text[]
  language sql immutable parallel safe
as $$
  select (string_to_array(name, '/'))[1 : array_length(string_to_array(name, '/'), 1) - 1]
$$;

/* What follows the last slash. */
create function storage.filename(name text) returns text
  language sql immutable parallel safe
as $$
  select (string_to_array(name, '/'))[array_length(string_to_array(name, '/'), 1)]
$$;

/* What follows the last dot of the file name. */
create function storage.extension(name text) returns text
  language sql immutable parallel safe
as $$
  select reverse(split_part(reverse((string_to_array(name, '/'))[array_length(string_to_array(name, '/'), 1)]), '.', 1))
$$;

/* What the storage API is doing, for policies that tell uploads from moves; null outside of a storage request. */
create function storage.operation() returns text
  language sql stable
as $$
  select nullif(current_setting('storage.operation', true), '')
$$;

create function storage.get_size_by_bucket() returns table (size bigint, bucket_id text)
  language sql stable
as $$
  select sum((objects.metadata ->> 'size')::bigint)::bigint, objects.bucket_id
    from storage.objects
   group by objects.bucket_id
$$;

/* One level of a bucket: its folders, then its files. `levels` is the depth of what is asked for, 1 at the root. Runs with the rights of who asks. */
create function storage.search(
  prefix text,
  bucketname text,
  limits integer default 100,
  levels integer default 1,
  offsets integer default 0,
  search text default '',
  sortcolumn text default 'name',
  sortorder text default 'asc'
) returns table (
  name text,
  id uuid,
  updated_at timestamptz,
  created_at timestamptz,
  last_accessed_at timestamptz,
  metadata jsonb
)
  language plpgsql stable
as $$
declare
  direction text := case when lower(sortorder) = 'desc' then 'desc' else 'asc' end;
  sort_key text := case
    when lower(sortcolumn) in ('updated_at', 'created_at', 'last_accessed_at') then format('entry.%I', lower(sortcolumn))
    else 'entry.label collate "C"'
  end;
begin
  return query execute format($query$
    with entry as (
      select objects.path_tokens[$3] as label,
             array_length(objects.path_tokens, 1) > $3 as is_folder,
             objects.id,
             objects.updated_at,
             objects.created_at,
             objects.last_accessed_at,
             objects.metadata
        from storage.objects
       where objects.bucket_id = $2
         and objects.name collate "C" >= $1
         and objects.name collate "C" < $1 || chr(1114111)
         and array_length(objects.path_tokens, 1) >= $3
         and starts_with(lower(substr(objects.name, length($1) + 1)), lower($4))
    )
    (select entry.label, null::uuid, null::timestamptz, null::timestamptz, null::timestamptz, null::jsonb
       from entry
      where entry.is_folder
      group by entry.label
      order by entry.label collate "C" %1$s)
    union all
    (select entry.label, entry.id, entry.updated_at, entry.created_at, entry.last_accessed_at, entry.metadata
       from entry
      where not entry.is_folder
      order by %2$s %1$s, entry.label collate "C" %1$s)
    limit $5
    offset $6
  $query$, direction, sort_key)
  using prefix, bucketname, levels, search, limits, offsets;
end
$$;

grant execute on all functions in schema storage to anon, authenticated, service_role;

-- Scripts and dumps name these owners.
do $$
declare
  admin text;
begin
  foreach admin in array array['supabase_storage_admin', 'postgres', 'dashboard_user'] loop
    if exists (select 1 from pg_roles where rolname = admin) then
      execute format('grant usage, create on schema storage to %I', admin);
      execute format('grant all on all tables in schema storage to %I', admin);
      execute format('grant execute on all functions in schema storage to %I', admin);
    end if;
  end loop;
end
$$;

-- Bytes whose row is gone, whoever removed it and however. The collector takes them from here.
create table teahouse.released_blob (
  version text primary key,
  released_at timestamptz not null default now()
);

create function teahouse.release_deleted_blobs() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  insert into teahouse.released_blob (version)
  select distinct gone.version
    from gone
   where gone.version is not null
  on conflict (version) do nothing;
  return null;
end
$$;

create function teahouse.release_replaced_blobs() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  insert into teahouse.released_blob (version)
  select distinct gone.version
    from gone
   where gone.version is not null
     and not exists (select 1 from kept where kept.version = gone.version)
  on conflict (version) do nothing;
  return null;
end
$$;

create function teahouse.release_all_blobs() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  insert into teahouse.released_blob (version)
  select distinct objects.version
    from storage.objects
   where objects.version is not null
  on conflict (version) do nothing;
  return null;
end
$$;

create trigger release_deleted_blobs
  after delete on storage.objects
  referencing old table as gone
  for each statement execute function teahouse.release_deleted_blobs();

create trigger release_replaced_blobs
  after update on storage.objects
  referencing old table as gone new table as kept
  for each statement execute function teahouse.release_replaced_blobs();

create trigger release_all_blobs
  before truncate on storage.objects
  for each statement execute function teahouse.release_all_blobs();

-- Who leaves takes their files along.
create function teahouse.remove_files_of_user() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  delete from storage.objects where objects.owner_id = old.id::text;
  return null;
end
$$;

create trigger remove_files_of_user
  after delete on auth.users
  for each row execute function teahouse.remove_files_of_user();
