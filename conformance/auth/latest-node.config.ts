/** The tests of the clients alone, without the databases that other tests share. */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import base from '../../vitest.config.ts'

export default defineConfig({
  ...(base.resolve === undefined ? {} : { resolve: base.resolve }),
  test: {
    root: fileURLToPath(new URL('.', import.meta.url)),
    include: ['clients.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
