import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ServerLog } from './server-log.ts'

describe("PostgreSQL's log", () => {
  let folder = ''
  let told: string[] = []
  const log = {
    info: (message: string) => told.push(`info ${message}`),
    warn: (message: string) => told.push(`warn ${message}`),
    error: (message: string) => told.push(`error ${message}`),
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'teahouse-log-'))
    told = []
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('keeps every line, also one that comes in pieces', () => {
    const server = new ServerLog(join(folder, 'x.log'), log)
    server.write('one\ntw')
    server.write('o\nthr')
    server.write('ee')
    server.close()
    expect(readFileSync(join(folder, 'x.log'), 'utf8')).toBe('one\ntwo\nthree\n')
  })

  it('never grows beyond twice its limit', () => {
    const server = new ServerLog(join(folder, 'x.log'), log, 1000)
    for (let line = 0; line < 200; line += 1) server.write(`line ${line} ${'x'.repeat(40)}\n`)
    server.close()
    expect(statSync(join(folder, 'x.log.1')).size).toBeLessThan(1100)
    expect(readFileSync(join(folder, 'x.log'), 'utf8')).toContain('line 199')
  })

  it('continues the file of an earlier start', () => {
    for (const word of ['first\n', 'second\n']) {
      const server = new ServerLog(join(folder, 'x.log'), log)
      server.write(word)
      server.close()
    }
    expect(readFileSync(join(folder, 'x.log'), 'utf8')).toBe('first\nsecond\n')
  })

  it('passes on what an operator must know, and nothing that a client said', () => {
    const server = new ServerLog(join(folder, 'x.log'), log)
    const at = '2026-01-02 03:04:05.678 UTC [12]'
    server.write(`${at} LOG:  server process (PID 7) was terminated by signal 9: Killed\n`)
    server.write(`${at} PANIC:  could not write to file "pg_wal/x": No space left on device\n`)
    server.write(`${at} FATAL:  password authentication failed for user "postgres"\n`)
    server.write(`${at} ERROR:  duplicate key value\n`)
    server.write(`${at} WARNING:  a word of a function\n`)
    server.close()
    expect(told).toEqual([
      'warn postgres: [12] LOG:  server process (PID 7) was terminated by signal 9: Killed',
      'error postgres: [12] PANIC:  could not write to file "pg_wal/x": No space left on device',
    ])
  })

  it('works on when its file cannot be written', () => {
    const server = new ServerLog(join(folder, 'missing', 'x.log'), log)
    server.write('2026-01-02 03:04:05.678 UTC [12] FATAL:  lock file is gone\n')
    expect(server.last(/FATAL/)).toBe('lock file is gone')
    expect(told).toHaveLength(1)
    server.close()
  })
})
