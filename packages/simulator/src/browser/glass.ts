/** The seam to glass-easel: the parts of its types we use, the DOM backend with WeChat's tag names, and plain event objects. */
import * as glassEasel from 'glass-easel'
import { COMPONENTS } from '../wx/create.ts'
import { convertUnits } from '../wx/units.ts'

// Before any component space is made: spaces copy the options. Style sheets and tests need the ids.
glassEasel.globalOptions.writeIdToDOM = true

/** An element of the component tree. */
export interface WxElement {
  readonly $$: unknown
  readonly is?: string
  id: string
  readonly dataset: Record<string, unknown>
  readonly data?: Record<string, unknown>
  setData?(data: Record<string, unknown>): void
  toggleNodeClass(names: string, force: boolean, index: number): void
  triggerPageLifetime?(name: string, args: unknown[]): void
  getMethodCaller?(): object
  querySelector?(selector: string): WxElement | null
}

/** A DOM element that belongs to an element of the component tree. */
export type HostElement = HTMLElement & { __wxElement?: WxElement }

/** The nearest tree element at or above a DOM node. */
export function wxElementAt(node: EventTarget | null): WxElement | null {
  for (let at = node as HostElement | null; at; at = at.parentNode as HostElement | null)
    if (at.__wxElement) return at.__wxElement
  return null
}

/** The DOM element of a tree element. */
export const domOf = (element: WxElement): HTMLElement => element.$$ as HTMLElement

/** Our own tags are `wx-view` and so on; other components keep their tag when it cannot be mistaken for HTML. */
export const domTag = (tag: string): string =>
  COMPONENTS.has(tag) || UNSUPPORTED.has(tag) ? `wx-${tag}` : tag.includes('-') ? tag : `x-${tag}`

/** Built-in components that are known but not simulated. */
export const UNSUPPORTED: ReadonlySet<string> = new Set([
  'canvas',
  'map',
  'camera',
  'live-player',
  'live-pusher',
  'web-view',
  'ad',
  'ad-custom',
  'official-account',
  'open-data',
  'editor',
  'voip-room',
  'audio',
  'functional-page-navigator',
  'picker-view',
  'picker-view-column',
  'page-container',
  'movable-area',
  'movable-view',
  'match-media',
  'page-meta',
  'navigation-bar',
  'share-element',
])

function createElement(tag: string): HTMLElement {
  const element = document.createElement(domTag(tag))
  const setAttribute = element.setAttribute.bind(element)
  element.setAttribute = (name: string, value: unknown) =>
    setAttribute(name, name === 'style' ? convertUnits(String(value)) : String(value))
  // Ids come with a prefix for each component; the plain id serves style sheets and tests.
  Object.defineProperty(element, 'id', {
    get: () => element.getAttribute('id') ?? '',
    set: (value: string) => setAttribute('id', String(value).replace(/^[0-9a-f]+--/, '')),
  })
  return element
}

/** The DOM backend. Events are not its business: gestures.ts listens on the document. */
export class Backend extends glassEasel.CurrentWindowBackendContext {
  readonly #appended = new Set<string>()

  constructor() {
    super()
    const types = this as unknown as { document: unknown }
    types.document = {
      createElement,
      createTextNode: (text: string) => document.createTextNode(text),
      createDocumentFragment: () => document.createDocumentFragment(),
    }
  }

  override onEvent(): void {}
  override setListenerStats(): void {}
  override setModelBindingStat(): void {}

  /** Once a sheet, however many pages use it. */
  override appendStyleSheetPath(path: string, styleScope?: number): number {
    if (this.#appended.has(path)) return -1
    this.#appended.add(path)
    return super.appendStyleSheetPath(path, styleScope)
  }
}

/** What an event tells of the element it came from or arrived at. */
function targetInfo(element: WxElement): object {
  const node = (element as unknown as { _$?: WxElement })._$ ?? element
  const dom = node.$$ as HTMLElement | null
  return { id: node.id, offsetLeft: dom?.offsetLeft ?? 0, offsetTop: dom?.offsetTop ?? 0, dataset: { ...node.dataset } }
}

interface InternalEvent {
  readonly type: string
  readonly timeStamp: number
  readonly detail: unknown
  readonly extraFields?: Record<string, unknown>
  handled?: boolean
}

/** Handlers get plain data, as they do when an event crosses from the view to the logic; methods stay out of JSON. */
export function usePlainEvents(): void {
  const prototype = glassEasel.Event.prototype as unknown as Record<string, unknown>
  prototype.wrapShadowedEvent = function (
    this: InternalEvent,
    target: WxElement,
    mark: object | null,
    currentTarget: WxElement,
  ) {
    this.handled = true
    const plain = {
      type: this.type,
      timeStamp: this.timeStamp,
      target: targetInfo(target),
      currentTarget: targetInfo(currentTarget),
      mark: { ...mark },
      detail: this.detail,
      ...this.extraFields,
    }
    for (const name of ['stopPropagation', 'preventDefault', 'markMutated']) {
      const method = prototype[name] as () => void
      Object.defineProperty(plain, name, { value: () => method.call(this), enumerable: false })
    }
    return plain
  }
}

/** `ready` comes after `attached`, when the whole tree is there; the engine leaves it to its host. */
export function useReady(later: (run: () => void) => void): void {
  const prototype = glassEasel.Component.prototype as unknown as {
    triggerLifetime: (this: object, name: string, args: unknown[]) => void
  }
  const original = prototype.triggerLifetime
  const attached = new WeakSet<object>()
  prototype.triggerLifetime = function (name, args) {
    if (name === 'detached') attached.delete(this)
    original.call(this, name, args)
    if (name !== 'attached') return
    attached.add(this)
    later(() => {
      if (attached.has(this)) original.call(this, 'ready', [])
    })
  }
}

export interface DispatchOptions {
  readonly bubbles: boolean
  readonly composed: boolean
  readonly extra?: Record<string, unknown>
  readonly onReturn?: (value: unknown) => void
}

/** Sends an event up the tree; says whether anybody listened and whether a handler caught it. */
export function dispatch(target: WxElement, name: string, detail: unknown, options: DispatchOptions) {
  const event = new glassEasel.Event(name, detail, {
    bubbles: options.bubbles,
    composed: options.composed,
    capturePhase: true,
    ...(options.extra ? { extraFields: options.extra } : {}),
    ...(options.onReturn ? { handleListenerReturn: (value: unknown) => options.onReturn?.(value) } : {}),
  })
  glassEasel.Event.dispatchEvent(target as unknown as glassEasel.Element, event)
  return { handled: (event as unknown as InternalEvent).handled === true, caught: event.defaultPrevented() }
}

export { glassEasel }
