/** Paths into the claims: what is read, what is not, and where each leads. */
import { describe, expect, it } from 'vitest'
import { claimAt, parseClaimPath } from './claim-path.ts'

const CLAIMS = {
  role: 'plain',
  'https://app/role': 'named',
  app_metadata: { roles: ['reader', 'editor', 'webmaster', 7], $x: { '@y': 'deep' } },
  user: { 'role-name': 'dashed' },
}

describe('a claim path', () => {
  it.each([
    ['.role', 'plain'],
    ['."https://app/role"', 'named'],
    ['.app_metadata.roles[1]', 'editor'],
    ['.app_metadata.$x.@y', 'deep'],
    ['.user.role-name', 'dashed'],
    ['.app_metadata.roles[?(@ == "editor")]', 'editor'],
    ['.app_metadata.roles[?(@=="editor")]', 'editor'],
    ['.app_metadata.roles[?(@ != "reader")]', 'editor'],
    ['.app_metadata.roles[?(@ ^== "web")]', 'webmaster'],
    ['.app_metadata.roles[?(@ ==^ "er")]', 'reader'],
    ['.app_metadata.roles[?(@ *== "dit")]', 'editor'],
    ['.app_metadata.roles[?(@ == "none")]', undefined],
    ['.app_metadata.roles[9]', undefined],
    ['.role[0]', undefined],
    ['.role.more', undefined],
    ['.toString', undefined],
    ['.__proto__', undefined],
  ])('%s leads to %s', (text, value) => {
    const path = parseClaimPath(text)
    expect(path).not.toBeNull()
    expect(claimAt(CLAIMS, path ?? [])).toEqual(value)
  })

  it.each([
    '',
    'role',
    '.',
    '.a.',
    '.a[b]',
    '.a[-1]',
    '.a[?(@ ~ "x")]',
    '.a[?(@ == x)]',
    '."a',
    `.${'a'.repeat(2000)}`,
  ])('is not %s', (text) => {
    expect(parseClaimPath(text)).toBeNull()
  })
})
