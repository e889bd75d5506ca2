/** The three kinds of tests: pure (`unit`), on a real Postgres (`pg`), and the official clients and browsers against a started server (`conformance`). */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))
// Workspace packages resolve to their sources: tests never need a build.
const alias = {
  '@teahouse/protocol': source('packages/protocol/src/index.ts'),
  '@teahouse/sdk/supabase': source('packages/sdk/src/supabase.ts'),
  '@teahouse/sdk': source('packages/sdk/src/index.ts'),
  '@teahouse/wechat-sandbox': source('packages/wechat-sandbox/src/index.ts'),
}
const never = ['**/node_modules/**', '**/dist/**']

export default defineConfig({
  resolve: { alias },
  test: {
    reporters: ['default', source('scripts/closing-line.ts')],
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // Property tests run many cases, and two cores may be busy with a browser.
          testTimeout: 30_000,
          include: ['packages/*/src/**/*.test.ts', 'packages/server/test/**/*.test.ts'],
          exclude: [...never, '**/*.pg.test.ts', '**/*.browser.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'pg',
          include: ['packages/*/src/**/*.pg.test.ts'],
          exclude: never,
          globalSetup: [source('packages/server/test/shared-clusters.ts')],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'conformance',
          include: ['conformance/**/*.test.ts', 'bench/**/*.test.ts', 'packages/*/src/**/*.browser.test.ts'],
          exclude: never,
          globalSetup: [source('packages/server/test/shared-clusters.ts')],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
