-- The product's own tables. No request role may look in here.

create table teahouse.setting (
  key text primary key,
  value jsonb not null,
  updated_at timestamptz not null default now()
);

comment on table teahouse.setting is 'Settings that all nodes of one app share.';

-- Tells every node that the schema changed. Bound to events at start, where this login may.
create function teahouse.notify_ddl() returns event_trigger
  language plpgsql
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
  perform pg_catalog.pg_notify('teahouse_ddl', '');
end
$$;
