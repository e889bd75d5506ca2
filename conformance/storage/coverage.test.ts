/** Every test that COVERAGE.md names is there. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { repository } from '../support/server.ts'

interface Row {
  readonly file: string
  readonly test: string
}

const rowsOf = (page: string): readonly Row[] =>
  page
    .slice(page.indexOf('## Bad input'))
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter((cells) => cells.length === 5 && cells[2]?.endsWith('.test.ts'))
    .map(([, , file = '', test = '']) => ({ file, test }))

it('names tests that exist', async () => {
  const rows = rowsOf(await readFile(new URL('./COVERAGE.md', import.meta.url), 'utf8'))
  expect(rows.length).toBeGreaterThan(40)
  const missing: string[] = []
  for (const { file, test } of rows) {
    const path = file.startsWith('conformance/') ? file : join('packages', 'server', 'src', file)
    const source = await readFile(join(repository, path), 'utf8').catch(() => '')
    // A dash stands for the whole file.
    if (source === '' || (test !== '-' && !source.includes(test))) missing.push(`${file}: ${test}`)
  }
  expect(missing).toEqual([])
})
