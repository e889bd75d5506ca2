/** The sandbox's people over restarts. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { addSandboxPerson, readSandboxPeople } from './sandbox-people.ts'

it('remembers everybody once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'teahouse-people-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  expect(await readSandboxPeople(folder)).toEqual([])
  await Promise.all(['alice', '张三', 'alice'].map((name) => addSandboxPerson(folder, name)))
  expect([...(await readSandboxPeople(folder))].sort()).toEqual(['alice', '张三'])
})
