import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { silent } from '../../../test/postgres.ts'
import { copyBinaries, locateBinaries } from './binaries.ts'
import { type EmbeddedOptions, type EmbeddedPostgres, startEmbeddedPostgres } from './embedded.ts'

const folders: string[] = []
let server: EmbeddedPostgres | null = null

afterEach(async () => {
  await server?.stop()
  server = null
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** A folder that only root may enter, with the programs and the data in it. */
function closedFolder(base: string): { dataDir: string; copiesDir: string; binaries: { dir: string } } {
  const folder = mkdtempSync(join(base, 'teahouse-closed-'))
  folders.push(folder)
  const programs = copyBinaries(locateBinaries({ spare: folder }), join(folder, 'node_modules'))
  chmodSync(folder, 0o700)
  const copiesDir = mkdtempSync(join(tmpdir(), 'teahouse-copies-'))
  chmodSync(copiesDir, 0o755)
  folders.push(copiesDir)
  return { dataDir: join(folder, 'deep', '.teahouse'), copiesDir, binaries: { dir: programs.root } }
}

async function visit(
  options: Partial<EmbeddedOptions> & { dataDir: string },
  text: string,
): Promise<Record<string, unknown>> {
  server = await startEmbeddedPostgres({ log: silent, settings: { fsync: false }, ...options })
  const client = new pg.Client(server.connection)
  await client.connect()
  const { rows } = await client.query<Record<string, unknown>>(text)
  await client.end()
  const { mode } = server
  await server.stop()
  return { mode, ...rows[0] }
}

function ownersBelow(folder: string): number[] {
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return [...new Set([statSync(folder).uid, ...entries.map((name) => statSync(join(folder, name)).uid)])]
}

function asRoot(): void {
  describe.each([
    { place: "root's home", base: homedir() },
    { place: 'a temporary folder that is closed to others', base: tmpdir() },
  ])('root, with everything in $place', ({ base }) => {
    it('runs PostgreSQL as another user, and goes on with it at the next start', async () => {
      const closed = closedFolder(base)
      const cluster = join(closed.dataDir, 'postgres')
      const first = await visit({ ...closed, runAs: 'setuid' }, 'create table kept as select 1 as id')
      expect(first).toMatchObject({ mode: 'setuid' })
      const [owner = 0, ...others] = ownersBelow(cluster)
      expect(others).toEqual([])
      expect(owner).toBeGreaterThan(0)
      // Left to itself it stays with the owner it finds.
      expect(await visit(closed, 'select id from kept')).toMatchObject({ mode: 'setuid', id: 1 })
      expect(ownersBelow(cluster)).toEqual([owner])
      expect(statSync(join(closed.dataDir, 'postgres.secret')).mode & 0o777).toBe(0o600)
    })
  })

  it('says in one line when neither way works', async () => {
    const closed = closedFolder(tmpdir())
    mkdirSync(join(closed.copiesDir, 'closed'), { mode: 0o700 })
    const copiesDir = join(closed.copiesDir, 'closed')
    const refused = startEmbeddedPostgres({ log: silent, ...closed, copiesDir, runAs: 'setuid' })
    await expect(refused).rejects.toMatchObject({
      code: 'no_unprivileged_user',
      message: expect.stringMatching(/^PostgreSQL must not run as root[^\n]+start Teahouse as an ordinary user$/),
    })
    expect(existsSync(join(closed.dataDir, 'postgres'))).toBe(false)
  })

  it('hands files over to the namespace and back', async () => {
    const closed = closedFolder(tmpdir())
    const cluster = join(closed.dataDir, 'postgres')
    const owners: number[][] = []
    // Containers usually forbid namespaces; there the only way must work again and again.
    const allowed = spawnSync('unshare', ['--user', 'true']).status === 0
    for (const runAs of ['namespace', 'setuid', 'namespace'] as const) {
      if (runAs === 'namespace' && !allowed) continue
      await visit({ ...closed, runAs }, 'create table if not exists kept ()')
      owners.push(ownersBelow(cluster))
    }
    const expected = allowed ? [[true], [false], [true]] : [[false]]
    expect(owners.map((uids) => uids.map((uid) => uid === 0))).toEqual(expected)
  })
}

if (process.geteuid?.() === 0) asRoot()
else {
  it('needs no other user when it is not root', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'teahouse-own-'))
    folders.push(dataDir)
    expect(await visit({ dataDir }, 'select 1 as one')).toMatchObject({ mode: 'direct', one: 1 })
  })
}
