-- What a server that the corpus is replayed against needs besides the fixture. Then: TEAHOUSE_CORPUS_URL=http://host/rest/v1
-- TEAHOUSE_CORPUS_SECRET=… npx vitest run --project conformance conformance/postgrest/corpus.test.ts
do $$
declare
  setting text;
begin
  foreach setting in array array[
    'db_schemas = ''town, annex, guild''',
    'db_extra_search_path = ''public, extensions''',
    'db_aggregates_enabled = ''true''',
    'db_plan_enabled = ''true''',
    'db_tx_end = ''rollback''',
    'db_safe_update = ''off'''
  ] loop
    execute format('alter role authenticator in database %I set pgrst.%s', current_database(), setting);
  end loop;
end $$;
notify pgrst, 'reload config';
