/** Waiting for a condition, with a deadline. */

/** Resolves with the first value that is neither null, undefined nor false; fails after the deadline. */
export async function until<T>(read: () => T | Promise<T>, what: string, deadline = 10_000): Promise<NonNullable<T>> {
  const end = Date.now() + deadline
  for (;;) {
    const value = await read()
    if (value !== null && value !== undefined && value !== false) return value
    if (Date.now() > end) throw new Error(`timed out waiting for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
