/** The other commands beside a running server, each as people and as scripts read it. */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Ran, runTeahouse, startServer, type TestServer, temporaryFolder } from '../support/server.ts'
import { until } from '../support/until.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let server: TestServer

beforeAll(async () => {
  folder = await temporaryFolder()
  server = await startServer({ dataDir: join(folder.path, 'data') })
})
afterAll(async () => {
  await server.stop()
  await folder.remove()
})

/** Runs a command on the server's data dir, in a project folder of the test. */
const teahouse = (args: readonly string[], input = ''): Promise<Ran> =>
  runTeahouse([...args, '--data-dir', server.dataDir], { cwd: folder.path, input })
const json = async (args: readonly string[]): Promise<unknown> => {
  const ran = await teahouse([...args, '--json'])
  expect(ran.stderr).toBe('')
  expect(ran.stdout.split('\n')).toHaveLength(2)
  return JSON.parse(ran.stdout)
}
const supabase = async (files: Readonly<Record<string, string>>): Promise<void> => {
  await mkdir(join(folder.path, 'supabase', 'migrations'), { recursive: true })
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder.path, 'supabase', name), text)
}

describe('status and keys', () => {
  it('tell where the server is', async () => {
    const { url, databaseUrl } = server.report
    expect(await json(['status'])).toEqual({ running: true, url, databaseUrl, pid: server.pid })
    expect((await teahouse(['status'])).stdout).toContain(`running   ${url}\n`)
  })

  it('tell its keys', async () => {
    const { anonKey, serviceKey, publishableKey, secretKey, jwtSecret } = server.report
    expect(await json(['keys'])).toEqual({ anonKey, serviceKey, publishableKey, secretKey, jwtSecret })
    expect((await teahouse(['keys'])).stdout).toMatch(new RegExp(`^anonKey +${anonKey}$`, 'm'))
  })

  it('say that there is none where there is none', async () => {
    const args = ['status', '--data-dir', join(folder.path, 'empty')]
    expect(await runTeahouse(args)).toMatchObject({ code: 1, stdout: '' })
    expect((await runTeahouse(args)).stderr).toMatch(
      /^teahouse: No server is running on .*empty\. Start one with: npx teahouse start\n$/,
    )
    expect(await runTeahouse([...args, '--json'])).toMatchObject({ code: 1, stdout: '{"running":false}\n' })
  })
})

describe('sql', () => {
  it('runs what it is given: a command, a file, or its input', async () => {
    expect((await teahouse(['sql', '-c', "select 1 as a, '茶' as b; select null as c"])).stdout).toBe(
      'a\tb\n1\t茶\nc\n\n',
    )
    await writeFile(join(folder.path, 'file.sql'), '\ufeffselect 2 as two')
    expect((await teahouse(['sql', 'file.sql'])).stdout).toBe('two\n2\n')
    expect(
      (await teahouse(['sql'], 'create table public.made (id int); insert into public.made values (1), (2)')).stdout,
    ).toBe('CREATE\nINSERT 2\n')
  })

  it('answers one line of JSON per statement', async () => {
    expect((await teahouse(['sql', '-c', 'select 1 as a; select now() is not null as b', '--json'])).stdout).toBe(
      '[{"a":1}]\n[{"b":true}]\n',
    )
  })

  it('is the owner', async () => {
    expect(await json(['sql', '-c', 'select current_user::text as name'])).toEqual([{ name: 'postgres' }])
  })

  it('tells an error in one line with its place', async () => {
    const ran = await teahouse(['sql', '-c', 'select 1;\nselect nonsense'])
    expect(ran).toMatchObject({ code: 1, stdout: '', stderr: 'teahouse: sql:2: column "nonsense" does not exist\n' })
    expect((await teahouse(['sql', 'missing.sql'])).stderr).toBe('teahouse: missing.sql cannot be read (ENOENT)\n')
  })

  it('reaches any database that it is given', async () => {
    const ran = await runTeahouse(['sql', '-c', 'select 3 as three'], {
      env: { TEAHOUSE_DATABASE_URL: server.report.databaseUrl },
    })
    expect(ran.stdout).toBe('three\n3\n')
  })
})

describe('migrate, seed and db reset', () => {
  const first = '20250101000000_first.sql'
  const second = '20250102000000_second.sql'

  it('say what is missing', async () => {
    expect((await teahouse(['migrate'])).stderr).toMatch(/^teahouse: There is no supabase\/migrations in /)
    expect((await teahouse(['seed'])).stderr).toMatch(/^teahouse: There is no supabase\/seed.sql in /)
  })

  it('apply every migration once, in order, each in a session of its own', async () => {
    await supabase({
      // As dumps begin: what it sets must not reach the next script.
      [`migrations/${first}`]:
        "select pg_catalog.set_config('search_path', '', false); create table public.tea (id int primary key, name text);",
      [`migrations/${second}`]:
        'create table cup (id int references tea); create policy readable on storage.objects for select using (true);',
      'migrations/notes.sql': 'nonsense',
    })
    const ran = await teahouse(['migrate'])
    expect(ran.stdout).toBe('applied 20250101000000_first\napplied 20250102000000_second\n')
    expect(ran.stderr).toBe('skipped notes.sql: its name should be <14 digits>_<name>.sql\n')
    expect((await teahouse(['migrate'])).stdout).toBe('Nothing to apply.\n')
    expect((await teahouse(['migrate', '--json'])).stdout).toBe('{"applied":[]}\n')
  })

  it('undo a migration that fails, and name its file and line', async () => {
    const broken = '20250103000000_broken.sql'
    await supabase({
      [`migrations/${broken}`]: 'create table public.half (id int);\n\ncreate tabel public.other (id int);\n',
    })
    const ran = await teahouse(['migrate'])
    expect(ran).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`teahouse: ${broken}:3: syntax error at or near "tabel"\n`),
    })
    expect(await json(['sql', '-c', "select to_regclass('public.half') as half"])).toEqual([{ half: null }])
    await supabase({ [`migrations/${broken}`]: 'create table public.half (id int);' })
    expect((await teahouse(['migrate'])).stdout).toBe('applied 20250103000000_broken\n')
  })

  it('sow, and name the line of a bad seed', async () => {
    await supabase({
      'seed.sql': "insert into public.tea values (1, '龙井');\ninsert into public.tea values (1, 'again');",
    })
    expect((await teahouse(['seed'])).stderr).toContain(
      'teahouse: seed.sql: duplicate key value violates unique constraint "tea_pkey"',
    )
    await supabase({ 'seed.sql': "insert into public.tea values (1, '龙井');" })
    expect(await json(['seed'])).toEqual({ seeded: true })
  })

  it('reset nothing without --yes', async () => {
    const ran = await teahouse(['db', 'reset'])
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toContain('This would drop')
    expect(await json(['sql', '-c', 'select name from tea'])).toEqual([{ name: '龙井' }])
  })

  it('reset the database to the folder: what was made by hand is gone, the rest is back, the keys stay', async () => {
    await teahouse([
      'sql',
      '-c',
      "create schema mine; create table mine.own (id int); insert into auth.users (id) values (gen_random_uuid()); insert into tea values (2, 'x')",
    ])
    const ran = await teahouse(['db', 'reset', '--yes'])
    expect(ran.stdout).toBe(
      'reset\napplied 20250101000000_first\napplied 20250102000000_second\napplied 20250103000000_broken\nseeded\n',
    )
    expect(
      await json([
        'sql',
        '-c',
        "select to_regnamespace('mine') as mine, (select count(*)::int from auth.users) as users, (select count(*)::int from tea) as teas",
      ]),
    ).toEqual([{ mine: null, users: 0, teas: 1 }])
    expect(await json(['keys'])).toMatchObject({ anonKey: server.report.anonKey })
    expect((await fetch(`${server.report.url}/health`)).status).toBe(200)
    const again = await teahouse(['db', 'reset', '--yes', '--json'])
    expect(JSON.parse(again.stdout)).toMatchObject({ reset: true, seeded: true })
  })
})

describe('doctor', () => {
  interface Diagnosis {
    readonly healthy: boolean
    readonly findings: readonly { id: string; severity: string; what: string; remedy: string }[]
  }
  // What `doctor --json` prints is what this test checks.
  const diagnose = async () => JSON.parse((await teahouse(['doctor', '--json'])).stdout) as Diagnosis

  it('names every table without row-level security, and every view past it, with the SQL that mends them', async () => {
    await teahouse([
      'sql',
      '-c',
      'create table public.open_table (id int); create table public.safe (id int); alter table public.safe enable row level security; create table public.unreachable (id int); revoke all on public.unreachable from anon, authenticated; create view public.seen as select * from public.safe; create view public.checked with (security_invoker = on) as select * from public.safe',
    ])
    const { findings } = await diagnose()
    const named = findings.filter(({ id }) => id === 'no_row_security').map(({ what }) => /public\.\w+/.exec(what)?.[0])
    expect(named).toEqual(expect.arrayContaining(['public.open_table', 'public.tea', 'public.cup']))
    expect(named).not.toContain('public.safe')
    expect(named).not.toContain('public.unreachable')
    expect(
      findings.filter(({ id }) => id === 'view_past_policies').map(({ what }) => /public\.\w+/.exec(what)?.[0]),
    ).toEqual(['public.seen'])
    await teahouse([
      'sql',
      '-c',
      findings
        .filter(({ id }) => id === 'no_row_security')
        .map(({ remedy }) => remedy)
        .join('\n'),
    ])
    expect((await diagnose()).findings.filter(({ id }) => id === 'no_row_security')).toEqual([])
  })

  it('is content with a fresh installation, and says so to people', async () => {
    await teahouse(['sql', '-c', 'drop view public.seen'])
    const { healthy, findings } = await diagnose()
    // Whatever disk the tests run on.
    expect([healthy, findings.filter(({ id }) => id !== 'disk_space')]).toEqual([true, []])
    const ran = await teahouse(['doctor'])
    expect(ran.code).toBe(0)
    expect(ran.stdout).toMatch(/^All is well\.$|, 0 notes$/m)
  })

  it('finds what is not safe, and exits 1', async () => {
    await chmod(join(server.dataDir, 'jwt-secret'), 0o644)
    await teahouse(['sql', '-c', 'alter system set synchronous_commit = off'])
    await teahouse(['sql', '-c', 'select pg_reload_conf()'])
    await until('both are found', async () => {
      const ran = await teahouse(['doctor'])
      return ran.code === 1 && ran.stdout.includes('jwt-secret') && ran.stdout.includes('synchronous_commit is off')
    })
    const { healthy, findings } = await diagnose()
    expect(healthy).toBe(false)
    expect(
      findings
        .filter(({ severity }) => severity === 'problem')
        .map(({ id }) => id)
        .sort(),
    ).toEqual(['open_secret', 'setting_synchronous_commit'])
    await chmod(join(server.dataDir, 'jwt-secret'), 0o600)
    await teahouse(['sql', '-c', 'alter system reset synchronous_commit'])
  })

  it('looks at the data dir alone when no server runs', async () => {
    const ran = await runTeahouse(['doctor', '--data-dir', join(folder.path, 'none')])
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    expect(ran.stdout).toContain('No server is running here')
  })
})

describe('exposed tables', () => {
  it('are named in the log of every start', async () => {
    await teahouse(['sql', '-c', 'create table public.bare (id int)'])
    const { dataDir } = server
    await server.stop()
    server = await startServer({ dataDir })
    const warnings = server
      .logs()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ level }) => level === 40)
    expect(warnings.filter(({ table }) => table !== undefined).map(({ table }) => table)).toEqual(['public.bare'])
  })
})

describe('help', () => {
  it('is there for every command', async () => {
    for (const command of [
      [],
      ['start'],
      ['status'],
      ['keys'],
      ['sql'],
      ['migrate'],
      ['seed'],
      ['doctor'],
      ['db', 'reset'],
    ]) {
      const ran = await runTeahouse([...command, '--help'])
      expect(ran).toMatchObject({ code: 0, stderr: '' })
      expect(ran.stdout).toContain('Usage: teahouse')
    }
    expect((await runTeahouse(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('is pointed to when a command does not exist', async () => {
    expect(await runTeahouse(['strat'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: "teahouse: unknown command 'strat' (Did you mean start?)\n",
    })
  })
})
