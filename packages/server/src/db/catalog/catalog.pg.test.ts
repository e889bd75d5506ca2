/** The catalogue against real servers: what it reads, how soon it notices a change, and how it survives losing its connection. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type Major, type TestDatabase } from '../../../test/database.ts'
import { systemClock } from '../../kernel/clock.ts'
import { loadCatalog } from './load.ts'
import { CatalogService } from './service.ts'

const FIXTURE = `
  create schema shop;
  create type shop.mood as enum ('sad', 'happy');
  create domain shop.price as numeric(10,2) check (value >= 0);
  create table shop.author (id int primary key generated always as identity, name varchar(20) not null unique, mood shop.mood default 'sad');
  create table shop.book (
    id int, edition int, author_id int references shop.author on delete cascade, price shop.price,
    sequel_id int, sequel_edition int, doubled numeric generated always as (price * 2) stored,
    primary key (id, edition),
    constraint sequel foreign key (sequel_id, sequel_edition) references shop.book (id, edition));
  comment on table shop.book is 'Books';
  comment on column shop.book.price is 'In yuan';
  alter table shop.book enable row level security;
  create policy own on shop.book for select to authenticated using (author_id = 1);
  create table shop.cover (book_id int, edition int, url text, primary key (book_id, edition),
    foreign key (book_id, edition) references shop.book (id, edition));
  create view shop.titles as select b.id as book, b.edition, a.name as author, b.author_id from shop.book b join shop.author a on a.id = b.author_id;
  create view shop.outer_titles as select book as k, edition as e from shop.titles;
  create function shop.add(a int, b int default 2, variadic rest int[] default '{}') returns int language sql immutable as 'select a + b';
  create function shop.find(out id int, inout name text) returns setof record language sql stable set work_mem to '8MB' as 'select 1, name';
  create function shop.nothing() returns void language sql as '';
  create function shop.books(shop.author) returns setof shop.book rows 1 language sql stable as 'select * from shop.book where author_id = $1.id';
  create table shop.log (at date, line text) partition by range (at);
  create table shop.log_2020 partition of shop.log for values from ('2020-01-01') to ('2021-01-01');
  create publication picked for table shop.book (id, edition) where (id > 3);
  grant select (name) on shop.author to anon;
`

describe.each<Major>(['15', '18'])('catalogue on PostgreSQL %s', (version) => {
  let database: TestDatabase
  let service: CatalogService

  beforeAll(async () => {
    database = await createTestDatabase(version)
    await database.sql(FIXTURE)
    service = new CatalogService({ pool: database.owner, connection: database.connection, clock: systemClock })
    await service.start()
  })

  afterAll(async () => {
    await service.stop()
    await database.drop()
  })

  it('reads columns with types, defaults, identity and comments', () => {
    const author = service.current.relation('shop', 'author')
    expect(author?.column('id')).toMatchObject({ baseType: 'integer', identity: 'always', nullable: false })
    expect(author?.column('name')).toMatchObject({ typeName: 'character varying(20)', maxLength: 20 })
    expect(author?.column('mood')).toMatchObject({ enumLabels: ['sad', 'happy'], plainType: 'shop.mood' })
    const book = service.current.relation('shop', 'book')
    expect(book?.column('price')).toMatchObject({ domain: 'shop.price', baseType: 'numeric', description: 'In yuan' })
    expect(book?.column('doubled')).toMatchObject({ generated: true })
    expect(book?.description).toBe('Books')
  })

  it('reads keys, also composite and self-referencing ones', () => {
    const catalog = service.current
    const book = catalog.relation('shop', 'book')
    expect(book?.primaryKey).toEqual(['id', 'edition'])
    expect(catalog.relation('shop', 'author')?.uniqueKeys.map((key) => key.columns)).toEqual([['name'], ['id']])
    expect(catalog.foreignKeys.find((key) => key.name === 'sequel')).toMatchObject({
      relation: book?.oid,
      target: book?.oid,
      columns: ['sequel_id', 'sequel_edition'],
      targetColumns: ['id', 'edition'],
    })
    expect(catalog.foreignKeys.find((key) => key.name.startsWith('cover'))?.oneToOne).toBe(true)
  })

  it('knows which view columns are table columns, also through other views', () => {
    const catalog = service.current
    const book = catalog.relation('shop', 'book')?.oid
    expect(catalog.relation('shop', 'titles')?.primaryKey).toEqual(['book', 'edition'])
    expect(catalog.relation('shop', 'outer_titles')?.viewColumns).toContainEqual({
      column: 'k',
      relation: book,
      relationColumn: 'id',
    })
  })

  it('reads functions', () => {
    const catalog = service.current
    expect(catalog.functionsNamed('shop', 'add')[0]?.inputs).toMatchObject([
      { name: 'a', required: true },
      { name: 'b', required: false },
      { name: 'rest', variadic: true },
    ])
    const find = catalog.functionsNamed('shop', 'find')[0]
    expect(find?.outputs.map((output) => output.name)).toEqual(['id', 'name'])
    expect(find?.returns).toMatchObject({ set: true, composite: true })
    expect(find?.settings.get('work_mem')).toBe('8MB')
    expect(catalog.functionsNamed('shop', 'nothing')[0]?.returns.void).toBe(true)
    expect(catalog.functionsNamed('shop', 'books')[0]?.returns).toMatchObject({ rows: 1, set: true })
  })

  it('reads policies, partitions, publications and grants', () => {
    const catalog = service.current
    const book = catalog.relation('shop', 'book')
    expect(book).toMatchObject({ rowSecurity: true, insertable: true })
    expect(book?.policies).toMatchObject([{ name: 'own', command: 'select', roles: ['authenticated'] }])
    expect(catalog.relation('shop', 'log_2020')).toMatchObject({ isPartition: true, kind: 'table' })
    expect(catalog.publications.find((each) => each.name === 'picked')?.tables).toEqual([
      { relation: book?.oid, columns: ['id', 'edition'], rowFilter: '(id > 3)' },
    ])
    expect(catalog.relation('shop', 'author')?.grants).toContainEqual({
      role: 'anon',
      privilege: 'SELECT',
      columns: ['name'],
    })
  })

  it('sees DDL that committed before settle was called', async () => {
    await database.sql('create table shop.fresh (id int)')
    expect((await service.settle()).relation('shop', 'fresh')).toBeDefined()
    await database.sql('drop table shop.fresh')
    expect((await service.settle()).relation('shop', 'fresh')).toBeUndefined()
  })

  it('reloads on notify pgrst, also for what no event trigger tells', async () => {
    await database.sql(
      "alter database current_database_name set pgrst.db_max_rows = '7'".replace(
        'current_database_name',
        new URL(database.url).pathname.slice(1),
      ),
    )
    await database.sql("notify pgrst, 'reload config'")
    expect((await service.settle()).databaseSettings.get('pgrst.db_max_rows')).toBe('7')
  })

  it('comes back after its connection was killed, and has missed nothing', async () => {
    const changed = new Promise<void>((resolve) => {
      const end = service.onChange((catalog) => {
        if (catalog.relation('shop', 'while_away') === undefined) return
        end()
        resolve()
      })
    })
    await database.sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'teahouse listener' and datname = current_database()",
    )
    await database.sql('create table shop.while_away (id int)')
    await changed
    expect(service.current.relation('shop', 'while_away')).toBeDefined()
  })

  it('finds changes by fingerprint where no event trigger announces them', async () => {
    await database.sql(
      `do $$ declare name text; begin for name in select evtname from pg_event_trigger loop execute format('drop event trigger %I', name); end loop; end $$`,
    )
    await service.refresh()
    expect(service.current.announcesDdl).toBe(false)
    await database.sql('alter table shop.author add column unannounced int')
    expect((await service.settle()).relation('shop', 'author')?.column('unannounced')).toBeDefined()
  })

  it('reads 300 relations quickly', async () => {
    await database.sql(
      `do $$ begin for i in 1..300 loop execute format('create table shop.t%s (id int primary key, a text, b text, c jsonb, d timestamptz, t int references shop.author)', i); end loop; end $$`,
    )
    await loadCatalog(database.owner, 1)
    const started = performance.now()
    const catalog = await loadCatalog(database.owner, 1)
    const spent = performance.now() - started
    expect(catalog.relations.length).toBeGreaterThan(300)
    // The goal is 100 ms on a quiet machine; the bound leaves room for a busy one.
    expect(spent).toBeLessThan(1_000)
  })
})
