-- Cloud functions: their code by version, their variables, timers and logs. Every node of an app runs the same version.

create table teahouse.function (
  name text primary key check (name ~ '^[A-Za-z][A-Za-z0-9_-]{0,59}$'),
  -- The version that is invoked.
  version bigint not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table teahouse.function_version (
  name text not null references teahouse.function (name) on update cascade on delete cascade,
  version bigint not null,
  -- A tar.gz of the folder with its dependencies.
  bundle bytea not null,
  -- SHA-256 of the files, hex: the same files are the same version.
  digest text not null,
  config jsonb not null,
  created_at timestamptz not null default now(),
  primary key (name, version)
);

-- Already compressed.
alter table teahouse.function_version alter column bundle set storage external;

create table teahouse.function_variable (
  -- Empty for all functions.
  function text not null,
  key text not null check (key ~ '^[A-Za-z_][A-Za-z0-9_]*$'),
  value text not null,
  primary key (function, key)
);

create table teahouse.function_timer (
  function text not null references teahouse.function (name) on update cascade on delete cascade,
  name text not null,
  cron text not null,
  -- Null when it never comes again.
  next_at timestamptz,
  last_at timestamptz,
  primary key (function, name)
);

create index function_timer_next_at_idx on teahouse.function_timer (next_at);

-- Not bound to the function: what it said outlives it.
create table teahouse.function_log (
  id bigint generated always as identity primary key,
  function text not null,
  version bigint not null,
  invocation uuid not null,
  at timestamptz not null,
  -- debug, info, warn, error; and report, the last line of each invocation.
  level text not null,
  message text not null
);

create index function_log_function_idx on teahouse.function_log (function, id);
create index function_log_at_idx on teahouse.function_log (at);
