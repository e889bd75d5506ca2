/** The operator's own migrations: each once, each whole, each in a session of its own, and every failure with its place. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/database.ts'
import { sql } from '../../sql/sql.ts'
import { migrateProject, namingScript } from './project.ts'

describe('a project’s migrations', () => {
  let db: TestDatabase
  beforeAll(async () => {
    db = await createTestDatabase()
  })
  afterAll(() => db.drop())

  const script = (version: string, text: string) => ({ version, name: 'test', text })
  const exists = async (table: string): Promise<boolean> =>
    (await db.owner.maybeOne<{ there: boolean }>(sql('t')`select to_regclass(${table}) is not null as there`))?.there ??
    false

  it('are applied once, also by two who start at the same time', async () => {
    const scripts = ['20250101000000', '20250101000001', '20250101000002'].map((version, index) =>
      script(version, `create table public.once_${index} (id int)`),
    )
    const [one, two] = await Promise.all([migrateProject(db.owner, scripts), migrateProject(db.owner, scripts)])
    expect([...one, ...two].sort()).toEqual(scripts.map(({ version, name }) => `${version}_${name}`))
    expect(await migrateProject(db.owner, scripts)).toEqual([])
  })

  it('are kept with their text, where Supabase’s tools look', async () => {
    await migrateProject(db.owner, [script('20250102000000', 'select 1; -- 茶')])
    const rows = await db.owner.many(sql('t')`
      select version, name, statements from supabase_migrations.schema_migrations where version = '20250102000000'`)
    expect(rows).toEqual([{ version: '20250102000000', name: 'test', statements: ['select 1; -- 茶'] }])
  })

  it('stop at the one that fails, of which nothing remains; those before it stay', async () => {
    const scripts = [
      script('20250103000000', 'create table public.kept (id int)'),
      script('20250103000001', "create table public.gone (id int);\n-- 茶👩‍👩‍👧\nselect 'a' from\nnowhere"),
      script('20250103000002', 'create table public.never (id int)'),
    ]
    await expect(migrateProject(db.owner, scripts)).rejects.toMatchObject({
      code: 'bad_request',
      message: '20250103000001_test.sql:4: relation "nowhere" does not exist',
    })
    expect([await exists('public.kept'), await exists('public.gone'), await exists('public.never')]).toEqual([
      true,
      false,
      false,
    ])
  })

  it('cannot disturb each other by what they set', async () => {
    await migrateProject(db.owner, [
      script('20250104000000', "select set_config('search_path', '', false); set role anon"),
      script('20250104000001', 'create table undisturbed (id int)'),
    ])
    expect(await exists('public.undisturbed')).toBe(true)
  })

  it('name the detail of a constraint, and the hint that Postgres gives', async () => {
    const failing = namingScript('seed.sql', '', () => db.owner.script("select 'x'::nonsense"))
    await expect(failing).rejects.toThrow(/^seed\.sql:1: type "nonsense" does not exist$/)
    await db.sql('create table public.unique_thing (id int primary key)')
    const twice = namingScript('seed.sql', '', () => db.owner.script('insert into public.unique_thing values (1), (1)'))
    await expect(twice).rejects.toThrow(
      'seed.sql: duplicate key value violates unique constraint "unique_thing_pkey" (Key (id)=(1) already exists.)',
    )
    const hinted = namingScript('seed.sql', '', () => db.owner.script('select idd from public.unique_thing'))
    await expect(hinted).rejects.toMatchObject({ hint: expect.stringContaining('unique_thing.id') })
  })
})
