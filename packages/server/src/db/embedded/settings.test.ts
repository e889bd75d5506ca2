import { describe, expect, it } from 'vitest'
import { EmbeddedError } from './error.ts'
import { renderSettings, settingsFor } from './settings.ts'

describe('settings of an embedded server', () => {
  it('are durable and ready for logical replication by default', () => {
    expect(settingsFor(18)).toMatchObject({
      fsync: true,
      synchronous_commit: true,
      wal_level: 'logical',
      max_replication_slots: 64,
    })
  })

  it('leave out what an older server does not know', () => {
    expect(settingsFor(18)).toHaveProperty('io_method')
    expect(settingsFor(15)).not.toHaveProperty('io_method')
  })

  it('quote every value', () => {
    const text = renderSettings({ 'app.word': "it's \\ here", jit: false, max_connections: 7 })
    expect(text).toContain("app.word = 'it''s \\\\ here'\n")
    expect(text).toContain("jit = 'off'\n")
    expect(text).toContain("max_connections = '7'\n")
  })

  it('refuse a name or value that would end its line', () => {
    for (const bad of [{ 'fsync = off\nx': 1 }, { jit: "off'\nfsync = off" }]) {
      expect(() => renderSettings(bad)).toThrow(EmbeddedError)
    }
  })
})
