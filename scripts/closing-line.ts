/** A vitest reporter that ends the run with one plain line: `N passed, N failed`. */
import type { Reporter, TestModule } from 'vitest/node'

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0
    let failed = unhandledErrors.length
    let skipped = 0
    for (const module of modules) {
      // A file that could not be loaded has no tests to count, yet it is a failure.
      if (module.errors().length > 0) failed += 1
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed += 1
        else if (state === 'failed') failed += 1
        else skipped += 1
      }
    }
    const tail = skipped > 0 ? `, ${skipped} skipped` : ''
    // The default reporter writes its summary in the same turn; ours has to come after it.
    process.once('exit', () => process.stdout.write(`\n${passed} passed, ${failed} failed${tail}\n`))
  }
}
