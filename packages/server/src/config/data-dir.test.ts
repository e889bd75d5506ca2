/** What a server keeps in its data dir besides the database: the secret, and the note by which other commands find it. */
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockFolder } from '../db/embedded/lock.ts'
import { randomIds } from '../kernel/ids.ts'
import { type RunNote, readRunNote, removeRunNote, writeRunNote } from './run-file.ts'
import { ensureDataDir, loadJwtSecret } from './secrets.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teahouse-data-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8)

describe('the data dir', () => {
  it('is made for its owner alone, with its parents', async () => {
    const dataDir = join(folder, 'a', 'b')
    await ensureDataDir(dataDir)
    expect(await modeOf(dataDir)).toBe('700')
    await ensureDataDir(dataDir)
  })

  it('is refused with a line that names it when it cannot be made', async () => {
    await writeFile(join(folder, 'file'), '')
    await expect(ensureDataDir(join(folder, 'file', 'x'))).rejects.toThrow(
      /^The data dir .*file\/x cannot be made \(ENOTDIR\)$/,
    )
  })
})

describe('the secret', () => {
  it('is made once, readable by its owner alone, and kept', async () => {
    const secret = await loadJwtSecret(folder, randomIds)
    expect(secret).toMatch(/^[\w-]{64}$/)
    expect(await modeOf(join(folder, 'jwt-secret'))).toBe('600')
    expect(await loadJwtSecret(folder, randomIds)).toBe(secret)
    expect(await readdir(folder)).toEqual(['jwt-secret'])
  })

  it('is one and the same for all who make it at once', async () => {
    const secrets = await Promise.all(Array.from({ length: 50 }, () => loadJwtSecret(folder, randomIds)))
    expect(new Set(secrets).size).toBe(1)
    expect(await readdir(folder)).toEqual(['jwt-secret'])
  })

  it('is the operator’s when there is one, without its line end', async () => {
    await writeFile(join(folder, 'jwt-secret'), 'my own secret of thirty-two bytes and more\n')
    expect(await loadJwtSecret(folder, randomIds)).toBe('my own secret of thirty-two bytes and more')
  })

  it('is not replaced when its file is empty: other nodes may know it', async () => {
    await writeFile(join(folder, 'jwt-secret'), '\n')
    await expect(loadJwtSecret(folder, randomIds)).rejects.toThrow(/jwt-secret is empty/)
    expect(await readFile(join(folder, 'jwt-secret'), 'utf8')).toBe('\n')
  })
})

describe('the run note', () => {
  const note: RunNote = {
    pid: process.pid,
    url: 'http://127.0.0.1:1',
    consoleUrl: null,
    databaseUrl: 'postgresql://x',
    anonKey: 'a',
    serviceKey: 'b',
    publishableKey: 'c',
    secretKey: 'd',
    jwtSecret: 'e',
    wechatSandboxUrl: null,
    appId: null,
    serverSecret: null,
  }

  it('is readable by its owner alone, also over a draft that was not', async () => {
    await writeFile(join(folder, 'run.json.new'), '', { mode: 0o644 })
    await chmod(join(folder, 'run.json.new'), 0o644)
    await writeRunNote(folder, note)
    expect(await modeOf(join(folder, 'run.json'))).toBe('600')
    expect(await readdir(folder)).toEqual(['run.json'])
  })

  it('tells of a server while that server holds the data dir', async () => {
    const lock = await lockFolder(folder)
    await writeRunNote(folder, note)
    expect(await readRunNote(folder)).toEqual(note)
    await lock.release()
    // Its process lives on, as a stranger's with the same pid would.
    expect(await readRunNote(folder)).toBe(null)
  })

  it('is not believed when another process holds the data dir', async () => {
    const lock = await lockFolder(folder)
    await writeRunNote(folder, { ...note, pid: 1 })
    expect(await readRunNote(folder)).toBe(null)
    await lock.release()
  })

  it('is nothing when it is missing, removed or broken', async () => {
    expect(await readRunNote(folder)).toBe(null)
    expect(await readRunNote(join(folder, 'missing'))).toBe(null)
    await writeFile(join(folder, 'run.json'), '{"pid":')
    expect(await readRunNote(folder)).toBe(null)
    await removeRunNote(folder)
    await removeRunNote(folder)
    expect(await readdir(folder)).toEqual([])
  })
})
