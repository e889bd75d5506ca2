/** The page of threats names tests: each of them exists, under that name, and runs. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const page = readFileSync(join(root, 'docs', 'threats.md'), 'utf8')

const pathOf = (named: string): string =>
  /^(conformance|examples|packages)\//.test(named) ? named : join('packages', 'server', 'src', named)

/** Lines of the tables, without their heads. */
const rows = page.split('\n').filter((line) => /^\| (?!(Attack|Mistake) \|)/.test(line))

/** The tests of a line, as path and name. */
const testsOf = (row: string): readonly (readonly [path: string, name: string])[] =>
  [...row.matchAll(/`([\w./-]+\.test\.ts)`((?: “[^”]+”)+)/g)].flatMap(([, path = '', names = '']) =>
    [...names.matchAll(/“([^”]+)”/g)].map(([, name = '']) => [pathOf(path), name] as const),
  )

it('names at least one test for every threat', () => {
  expect(rows.length).toBeGreaterThan(30)
  expect(rows.filter((row) => testsOf(row).length === 0)).toEqual([])
})

it('names only tests that exist and are not skipped', () => {
  const missing = rows.flatMap(testsOf).filter(([path, name]) => {
    const file = join(root, path)
    if (!existsSync(file)) return true
    const text = readFileSync(file, 'utf8')
    const at = ["'", '"', '`'].map((quote) => text.indexOf(`${quote}${name}${quote}`)).find((index) => index >= 0)
    if (at === undefined) return true
    const line = text.slice(text.lastIndexOf('\n', at) + 1, at)
    return /\.(skip|todo|only|fails)\b/.test(line) || /\b(describe|it|test)\.(skip|only)\b/.test(text)
  })
  expect(missing).toEqual([])
})
