/** Small helpers to make DOM. */

export interface ElementParts {
  readonly class?: string
  readonly text?: string
  readonly style?: Readonly<Record<string, string>>
  readonly on?: Readonly<Record<string, (event: Event) => void>>
  readonly children?: readonly (HTMLElement | null)[]
  readonly attributes?: Readonly<Record<string, string>>
}

/** Makes an element with its parts. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  parts: ElementParts = {},
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  if (parts.class) element.className = parts.class
  if (parts.text !== undefined) element.textContent = parts.text
  for (const [name, value] of Object.entries(parts.style ?? {})) element.style.setProperty(name, value)
  for (const [name, value] of Object.entries(parts.attributes ?? {})) element.setAttribute(name, value)
  for (const [name, run] of Object.entries(parts.on ?? {})) element.addEventListener(name, run)
  for (const child of parts.children ?? []) if (child) element.append(child)
  return element
}
