/** What `doctor` says of a data dir, and of the secret in it. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEMO_SECRET } from '../identity/demo-keys.ts'
import type { Clock } from '../kernel/clock.ts'
import { randomIds } from '../kernel/ids.ts'
import { inspectDataDir, inspectSecret } from './inspect-data-dir.ts'
import { loadJwtSecret } from './secrets.ts'

const clockAt = (time: string): Clock => ({ now: () => Date.parse(time), after: () => () => {} })
const today = clockAt('2030-01-01T00:00:00Z')

describe('a data dir', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'teahouse-inspect-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  const found = async (clock = today) =>
    (await inspectDataDir(folder, clock)).map(({ id }) => id).filter((id) => id !== 'disk_space')

  it('is fine as the server makes it', async () => {
    await loadJwtSecret(folder, randomIds)
    expect(await found()).toEqual([])
  })

  it('is named when others may look inside, and so is every secret', async () => {
    await chmod(folder, 0o755)
    await loadJwtSecret(folder, randomIds)
    for (const name of ['jwt-secret', 'run.json', 'postgres.secret']) {
      await writeFile(join(folder, name), 'x')
      await chmod(join(folder, name), 0o640)
    }
    const findings = await inspectDataDir(folder, today)
    expect(findings.map(({ remedy }) => remedy).filter((remedy) => remedy.startsWith('chmod'))).toEqual([
      `chmod 700 ${folder}`,
      `chmod 600 ${join(folder, 'jwt-secret')}`,
      `chmod 600 ${join(folder, 'run.json')}`,
      `chmod 600 ${join(folder, 'postgres.secret')}`,
    ])
  })

  it('is suspected when its secret can be guessed', async () => {
    await writeFile(join(folder, 'jwt-secret'), `${DEMO_SECRET}\n`, { mode: 0o600 })
    expect(await found()).toEqual(['demo_secret'])
  })

  it('lives on a machine whose clock may be wrong', async () => {
    expect(await found(clockAt('1970-01-01T00:00:00Z'))).toEqual(['clock'])
  })

  it('may not exist yet', async () => {
    expect(await inspectDataDir(join(folder, 'none'), today)).toMatchObject([{ id: 'no_data_dir', severity: 'note' }])
  })
})

describe('a secret', () => {
  it('is weak when it is known or repeats itself, and fine when it is random', () => {
    expect(inspectSecret(DEMO_SECRET).map(({ id }) => id)).toEqual(['demo_secret'])
    expect(inspectSecret('a'.repeat(64)).map(({ id }) => id)).toEqual(['weak_secret'])
    expect(inspectSecret('12345678901234567890123456789012').map(({ id }) => id)).toEqual(['weak_secret'])
    for (let round = 0; round < 100; round += 1) expect(inspectSecret(randomIds.secret(24))).toEqual([])
  })
})
