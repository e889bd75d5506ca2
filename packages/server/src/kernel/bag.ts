/** A set that is nearly always empty or of one element: then it is the element itself. A Set of one takes 230 bytes (measured), a bag of one 24. */

export class Bag<T extends object> {
  #content: T | Set<T> | null = null

  get size(): number {
    const content = this.#content
    return content === null ? 0 : content instanceof Set ? content.size : 1
  }

  has(item: T): boolean {
    const content = this.#content
    return content instanceof Set ? content.has(item) : content === item
  }

  add(item: T): void {
    const content = this.#content
    if (content === null) this.#content = item
    else if (content instanceof Set) content.add(item)
    else if (content !== item) this.#content = new Set([content, item])
  }

  delete(item: T): boolean {
    const content = this.#content
    if (content instanceof Set) return content.delete(item)
    if (content !== item) return false
    this.#content = null
    return true
  }

  /** In the order in which they came. What is added or deleted by the callback is treated as a Set treats it. */
  forEach(visit: (item: T) => void): void {
    const content = this.#content
    if (content instanceof Set) for (const item of content) visit(item)
    else if (content !== null) visit(content)
  }

  *[Symbol.iterator](): Iterator<T> {
    const content = this.#content
    if (content instanceof Set) yield* content
    else if (content !== null) yield content
  }
}
