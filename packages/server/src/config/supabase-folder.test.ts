/** How the operator's supabase/ folder is read. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readProjectMigrations, readSeed } from './supabase-folder.ts'

describe('the supabase folder', () => {
  let project = ''
  beforeEach(async () => {
    project = await mkdtemp(join(tmpdir(), 'teahouse-project-'))
  })
  afterEach(() => rm(project, { recursive: true }))

  it('may be missing', async () => {
    expect(await readProjectMigrations(project)).toEqual({ scripts: [], ignored: [] })
    expect(await readSeed(project)).toBe(null)
  })

  it('holds migrations in the order of their numbers, and other SQL that is named', async () => {
    const folder = join(project, 'supabase', 'migrations')
    await mkdir(folder, { recursive: true })
    const files = [
      '20250102000000_b.sql',
      '20250101000000_a_long-name.sql',
      '1_short.sql',
      'README.md',
      '20250103000000_.sql',
    ]
    for (const file of files) await writeFile(join(folder, file), `-- ${file}`)
    expect(await readProjectMigrations(project)).toEqual({
      scripts: [
        { version: '20250101000000', name: 'a_long-name', text: '-- 20250101000000_a_long-name.sql' },
        { version: '20250102000000', name: 'b', text: '-- 20250102000000_b.sql' },
      ],
      ignored: ['1_short.sql', '20250103000000_.sql'],
    })
  })

  it('is read without the mark that some editors put before the text', async () => {
    await mkdir(join(project, 'supabase'))
    await writeFile(join(project, 'supabase', 'seed.sql'), '\ufeffselect 1')
    expect(await readSeed(project)).toBe('select 1')
  })
})
