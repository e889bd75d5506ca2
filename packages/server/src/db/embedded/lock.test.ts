import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FolderLock, lockFolder, lockHolder } from './lock.ts'

describe('the lock of a data folder', () => {
  let folder = ''
  let held: FolderLock[] = []

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'teahouse-lock-'))
    held = []
  })
  afterEach(async () => {
    await Promise.all(held.map((lock) => lock.release()))
    rmSync(folder, { recursive: true })
  })

  const take = async (place = folder) => {
    const lock = await lockFolder(place)
    held.push(lock)
    return lock
  }

  it('is refused while it is held, in one line that names the holder', async () => {
    await take()
    await expect(take()).rejects.toMatchObject({
      code: 'locked',
      message: `the data folder ${folder} is in use by this very process; stop it first or choose another --data-dir`,
    })
    expect(await lockHolder(folder)).toBe(process.pid)
  })

  it('can be taken again after a release', async () => {
    const first = await take()
    await first.release()
    expect(await lockHolder(folder)).toBeNull()
    await take()
    expect(await lockHolder(folder)).toBe(process.pid)
  })

  it('is won by exactly one of many that find it dead at the same time', async () => {
    const first = await take()
    await first.release()
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => take()))
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
    expect(readdirSync(join(folder, 'lock'))).toHaveLength(1)
  })

  it('believes a holder that lives but does not answer', async () => {
    mkdirSync(join(folder, 'lock'))
    const mute = createServer()
    await new Promise<void>((resolve) => mute.listen(join(folder, 'lock', '7.sock'), resolve))
    await expect(take()).rejects.toMatchObject({ code: 'locked' })
    await new Promise((resolve) => mute.close(resolve))
  })

  it('works in a folder whose path is longer than a socket address', async () => {
    const deep = join(folder, 'd'.repeat(120), 'e'.repeat(80))
    mkdirSync(deep, { recursive: true })
    await take(deep)
    await expect(take(deep)).rejects.toMatchObject({ code: 'locked' })
  })
})
