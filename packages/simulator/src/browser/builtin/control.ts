/** What every built-in component has: a DOM element, properties, events, and an update when properties change. */
import { numberOf } from '../../wx/call.ts'
import type { Core } from '../../wx/create.ts'
import type { Environment } from '../environment.ts'
import { dispatch, type HostElement, type WxElement } from '../glass.ts'
import type { Overlays } from '../overlays.ts'
import type { Pages } from '../page-view.ts'

type PropertyType =
  | StringConstructor
  | NumberConstructor
  | BooleanConstructor
  | ArrayConstructor
  | ObjectConstructor
  | null

/** Properties with their type, or a default value that tells the type. */
export type Properties = Readonly<
  Record<string, PropertyType | { readonly type: PropertyType; readonly value: unknown }>
>

/** What a component does besides showing its children. */
export interface Behavior {
  /** Brings the DOM in line with the properties; runs often, so it must not repeat effects. */
  update?(): void
  attached?(): void
  detached?(): void
}

export interface Spec {
  readonly properties?: Properties
  readonly setup?: (control: Control) => Behavior
}

/** The rest of the simulator, as components need it. */
export interface Services {
  readonly core: Core
  readonly pages: Pages
  readonly overlays: Overlays
  readonly environment: Environment
  /** Where a picture's or a video's address leads, relative to the component it is written in. */
  readonly mediaUrl: (path: string, from: string) => string
  /** The prefix of a component's classes. */
  readonly classPrefix: (path: string) => string
}

/** What forms, groups and labels ask of a control. */
export interface Field {
  readonly name: () => string
  readonly value: () => unknown
  readonly reset: () => void
  readonly activate: () => void
}

export type ControlElement = HostElement & { __field?: Field }

interface Internals extends WxElement {
  readonly ownerShadowRoot?: { getHostNode(): WxElement }
  addListener(name: string, run: (event: unknown) => unknown): void
}

export class Control {
  readonly element: ControlElement
  readonly services: Services
  readonly node: Internals

  constructor(node: WxElement, services: Services) {
    this.node = node as Internals
    this.element = node.$$ as ControlElement
    this.services = services
  }

  get(name: string): unknown {
    return this.node.data?.[name]
  }

  text(name: string): string {
    const value = this.get(name)
    return value === undefined || value === null ? '' : String(value)
  }

  flag(name: string): boolean {
    return this.get(name) === true
  }

  number(name: string, fallback: number): number {
    return numberOf(this.get(name), fallback)
  }

  /** A change made by the user: the property follows, and a two-way binding with it. */
  set(name: string, value: unknown): void {
    this.node.setData?.({ [name]: value })
  }

  emit(
    name: string,
    detail: unknown = {},
    options: { bubbles?: boolean; onReturn?: (value: unknown) => void } = {},
  ): void {
    dispatch(this.node, name, detail, {
      bubbles: options.bubbles === true,
      composed: false,
      ...(options.onReturn ? { onReturn: options.onReturn } : {}),
    })
  }

  onTap(run: () => void): void {
    this.node.addListener('tap', () => {
      if (!this.flag('disabled')) run()
    })
  }

  /** The path of the component or page this one is written in. */
  get owner(): string {
    return this.node.ownerShadowRoot?.getHostNode().is ?? ''
  }

  /** Classes as the owner's style sheet names them. */
  scopedClass(names: string): string {
    const prefix = this.services.classPrefix(this.owner)
    const list = names.split(/\s+/).filter(Boolean)
    return list.map((name) => (prefix ? `${prefix}--${name}` : name)).join(' ')
  }

  /** A call of a wx function by a component, as if the app had made it. */
  call(name: string, options: object): void {
    const run = this.services.core.wx[name]
    if (typeof run === 'function') run(options)
  }
}
