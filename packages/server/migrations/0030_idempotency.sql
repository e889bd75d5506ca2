-- Answers of writes that came with an Idempotency-Key: whoever sends the same write again gets the first one's answer, and nothing is written.

create table teahouse.answer (
  -- A digest of the caller and their key.
  key bytea primary key,
  -- A digest of the request: the same key with another request is a mistake.
  request bytea not null,
  status integer not null,
  headers jsonb not null,
  -- Null when it was too large to be kept.
  body bytea,
  expires_at timestamptz not null
);

create index answer_expires_at_idx on teahouse.answer (expires_at);

comment on table teahouse.answer is 'What writes with an Idempotency-Key answered, for a day.';

-- Makes everybody else with this key wait until the transaction ends, on whatever node they are, and answers what an earlier one was told. The
-- lock is taken in a statement of its own, so that the next one sees what was committed meanwhile.
create function teahouse.claim_answer(wanted bytea)
  returns table (request bytea, status integer, headers jsonb, body bytea)
  language plpgsql security definer
  set search_path = ''
  set lock_timeout = '10s'
as $$
begin
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(pg_catalog.encode(wanted, 'hex'), 0));
  return query
    select answer.request, answer.status, answer.headers, answer.body
      from teahouse.answer
     where answer.key = wanted
       and answer.expires_at > pg_catalog.now();
end
$$;

-- Part of the transaction that it tells about: either both are there, or neither. Each new answer takes some old ones away.
create function teahouse.keep_answer(kept_key bytea, kept_request bytea, kept_status integer, kept_headers jsonb, kept_body bytea)
  returns void
  language plpgsql security definer
  set search_path = ''
as $$
begin
  delete from teahouse.answer
   where answer.key in (
    select old.key
      from teahouse.answer as old
     where old.expires_at <= pg_catalog.now()
     order by old.expires_at
     limit 20
       for update skip locked
   )
      or (answer.key = kept_key and answer.expires_at <= pg_catalog.now());
  insert into teahouse.answer (key, request, status, headers, body, expires_at)
  values (kept_key, kept_request, kept_status, kept_headers, kept_body, pg_catalog.now() + interval '1 day');
end
$$;

revoke all on function teahouse.claim_answer(bytea) from public;
revoke all on function teahouse.keep_answer(bytea, bytea, integer, jsonb, bytea) from public;

-- For the login of requests alone, before and after it plays the caller's role.
do $$
begin
  if exists (select from pg_catalog.pg_roles where rolname = 'authenticator') then
    grant usage on schema teahouse to authenticator;
    grant execute on function teahouse.claim_answer(bytea) to authenticator;
    grant execute on function teahouse.keep_answer(bytea, bytea, integer, jsonb, bytea) to authenticator;
  end if;
end
$$;
