-- Several nodes on one database: who they are, and the change feed that one of them reads for all.

-- Nodes that are running, by signs of life. Unlogged: after a crash of the database they write themselves in again.
create unlogged table teahouse.node (
  name text primary key,
  host text not null,
  pid integer not null,
  bus text not null,
  files text not null,
  -- Digests of the secrets with which it checks tokens.
  secrets text[] not null,
  started_at timestamptz not null default clock_timestamp(),
  seen_at timestamptz not null default clock_timestamp()
);

-- An unbroken run of the feed. Positions of another run mean nothing in this one.
create table teahouse.feed_epoch (
  name text primary key,
  epoch uuid not null,
  source text not null,
  floor text collate "C" not null,
  -- False while the source is being made anew: what changes meanwhile belongs to no run.
  ready boolean not null
);

-- Who reads the log. `term` fences: one that was paused or cut off, and replaced, can append no more. `last` is how far it came,
-- `trimmed` the newest position that feed_log has forgotten.
create unlogged table teahouse.feed_leader (
  name text primary key,
  term uuid not null,
  node text not null,
  last text collate "C" not null,
  trimmed text collate "C" not null,
  seen_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);

-- The last changes, for nodes to read. Unlogged: it costs no write-ahead log, and what a crash of the database takes from it is told
-- again by the source, which is acknowledged after the append.
create unlogged table teahouse.feed_log (
  name text not null,
  last text collate "C" not null,
  -- Position of the entry before: a reader that has seen as much misses nothing.
  prev text collate "C" not null,
  bytes integer not null,
  at timestamptz not null default clock_timestamp(),
  payload text not null,
  primary key (name, last)
);
alter table teahouse.feed_log alter column payload set storage external;
