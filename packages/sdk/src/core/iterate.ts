/** The iterators of Headers, FormData and URLSearchParams: live, as the standards have them, and without generators, which cost ES5 a helper. */

/** Walks a list that may change under way. */
export function iterate<Item>(at: (index: number) => Item | undefined): IterableIterator<Item> {
  let index = 0
  return {
    next: () => {
      const value = at(index++)
      return value === undefined ? { value: undefined, done: true } : { value, done: false }
    },
    [Symbol.iterator]() {
      return this
    },
  }
}
