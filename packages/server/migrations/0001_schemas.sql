-- Schemas, and the grants that Supabase's scripts take for granted.

create schema if not exists extensions;
create schema if not exists auth;
create schema if not exists cloud;
create schema if not exists im;

revoke all on schema teahouse from public;

-- `public`: whoever holds a key may look in; what they see there is a matter of grants and policies.
grant usage on schema public, extensions, auth to anon, authenticated, service_role;
grant all on schema public to service_role;

-- Tables, functions and sequences that this owner makes later are reachable, as on Supabase. What existed before is left as it was.
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;

-- Scripts call gen_random_bytes() and uuid_generate_v4() without a schema.
do $$
declare
  extension text;
begin
  foreach extension in array array['pgcrypto', 'uuid-ossp'] loop
    begin
      execute format('create extension if not exists %I with schema extensions', extension);
    exception when insufficient_privilege or undefined_file or feature_not_supported then
      raise notice 'extension % is not available here', extension;
    end;
  end loop;

  begin
    execute format('alter database %I set search_path to "$user", public, extensions', current_database());
  exception when insufficient_privilege then
    raise notice 'the search path of the database stays as it is';
  end;
end
$$;
