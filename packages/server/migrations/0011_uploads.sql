-- Uploads that arrive in parts, over several requests and through several nodes. Their parts are blobs like any other until the last one is in.

create table teahouse.upload (
  id uuid primary key,
  -- Which of the two protocols: a part of the one is no part of the other.
  protocol text not null check (protocol in ('tus', 's3')),
  bucket_id text not null references storage.buckets (id) on update cascade on delete cascade,
  name text not null,
  owner_id text,
  -- Made with the token of a signed upload, and continued only with one.
  signed boolean not null default false,
  mode text not null check (mode in ('create', 'upsert', 'replace')),
  -- Bytes; null as long as the client has not said.
  length bigint check (length >= 0),
  content_type text not null,
  cache_control text,
  user_metadata jsonb,
  -- What the client said about the file, in its own words.
  description text,
  -- Bytes of the parts that are durable.
  received bigint not null default 0,
  -- Counts who took the upload over. Who comes with an older number is too late and changes nothing.
  epoch bigint not null default 0,
  -- Names of the whole file's bytes, one for each attempt to give them a row.
  versions text[] not null default '{}',
  finished_at timestamptz,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);

create index upload_expires_at_idx on teahouse.upload (expires_at);
create index upload_bucket_id_idx on teahouse.upload (bucket_id, name);
create index upload_owner_id_idx on teahouse.upload (owner_id) where owner_id is not null;

create table teahouse.upload_part (
  upload_id uuid not null references teahouse.upload (id) on delete cascade,
  -- For tus the offset of its first byte, for S3 the number that the client chose.
  number bigint not null,
  version text not null unique,
  size bigint not null,
  md5 text not null,
  created_at timestamptz not null default now(),
  primary key (upload_id, number)
);

create trigger release_deleted_parts
  after delete on teahouse.upload_part
  referencing old table as gone
  for each statement execute function teahouse.release_deleted_blobs();

create trigger release_replaced_parts
  after update on teahouse.upload_part
  referencing old table as gone new table as kept
  for each statement execute function teahouse.release_replaced_blobs();

-- Who leaves takes their unfinished files along too.
create function teahouse.remove_uploads_of_user() returns trigger
  language plpgsql security definer
  set search_path = ''
as $$
begin
  delete from teahouse.upload where upload.owner_id = old.id::text;
  return null;
end
$$;

create trigger remove_uploads_of_user
  after delete on auth.users
  for each row execute function teahouse.remove_uploads_of_user();
