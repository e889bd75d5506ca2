/** The component environment: templates, styles and definitions of a project on glass-easel, and setData as JSON. */
import { type component, MiniProgramEnv } from 'glass-easel-miniprogram-adapter'
import type { Bundle } from '../framework/bundle.ts'
import type { Loader } from '../framework/loader.ts'
import { cloneUpdates } from '../framework/set-data.ts'
import { functionOf, optionsOf } from '../wx/call.ts'
import type { Phone } from '../wx/phone.ts'
import { Backend, glassEasel } from './glass.ts'

type Definition = Record<string, unknown>
type Constructor = (definition: unknown) => unknown

/** What the adapter gives a component script. */
interface ComponentEnv {
  readonly Page: Constructor
  readonly Component: Constructor
  readonly Behavior: Constructor
}

type Templates = Readonly<Record<string, unknown>>

const isMissing = (message: string) => /^Cannot find component "([^"]+)"/.exec(message)?.[1]

export class Environment {
  readonly #env = new MiniProgramEnv()
  readonly #phone: Phone
  readonly #bundle: Bundle
  readonly backend = new Backend()
  readonly associated = this.#env.associateBackend(this.backend as never)
  readonly space = this.#env.createCodeSpace('', true)
  readonly #behaviors = new Map<string, unknown>()
  /** Component() belongs to the script being loaded, whichever module calls it. */
  #loading = ''
  #current: ComponentEnv | null = null

  constructor(phone: Phone, bundle: Bundle, templates: Templates) {
    this.#phone = phone
    this.#bundle = bundle
    this.#listen()
    // A tag nobody declared is an error on a phone, not an HTML element. The engine has no public switch for it here.
    const space = this.space.getComponentSpace() as unknown as { _$allowUnusedNativeNode: boolean }
    space._$allowUnusedNativeNode = false
    for (const [path, config] of Object.entries(bundle.components)) {
      this.space.addComponentStaticConfig(path, config as never)
      const content = templates[path]
      if (content) this.space.addCompiledTemplate(path, { content, groupList: templates } as never)
    }
    for (const [path, sheet] of Object.entries(bundle.styles)) {
      this.backend.registerStyleSheetContent(path, sheet.css)
      this.space.addStyleSheet(path, path, sheet.scope ?? undefined)
    }
    this.#addStandardBehaviors()
  }

  /** Page, Component and Behavior as the app's globals. */
  readonly constructors = {
    Page: (definition: unknown) => this.#inEnv((env) => env.Page(this.#prepare(definition))),
    Component: (definition: unknown) => this.#inEnv((env) => env.Component(this.#prepare(definition))),
    Behavior: Object.assign((definition: unknown) => this.#inEnv((env) => env.Behavior(this.#prepare(definition))), {
      trait: () => this.space.traitBehavior(),
    }),
  }

  /** Loads the scripts of all components, then of all pages. */
  loadAll(loader: Loader): void {
    const paths = Object.keys(this.#bundle.components)
    const pages = new Set(this.#bundle.pages)
    for (const path of [...paths.filter((one) => !pages.has(one)), ...paths.filter((one) => pages.has(one))])
      this.#load(loader, path)
  }

  #load(loader: Loader, path: string): void {
    if (!loader.resolve('/', `/${path}`)) return
    this.#loading = path
    this.space.componentEnv(path, (env: unknown) => {
      this.#current = env as ComponentEnv
      this.#phone.guard(() => loader.load(`/${path}.js`))
    })
    this.#current = null
  }

  #inEnv(run: (env: ComponentEnv) => unknown): unknown {
    if (this.#current) return run(this.#current)
    // A behavior made outside of any component script, in app.js for example.
    return this.space.componentEnv(this.#loading || 'app', (env: unknown) => run(env as ComponentEnv))
  }

  /** Names of standard behaviors become behaviors; a property called `dataset` would break the engine and is dropped. */
  #prepare(definition: unknown): Definition {
    const prepared: Definition = { ...optionsOf(definition) }
    if (Array.isArray(prepared.behaviors)) {
      const list: readonly unknown[] = prepared.behaviors
      prepared.behaviors = list
        .map((one) => (typeof one === 'string' ? this.#standardBehavior(one) : one))
        .filter((one) => one !== null && one !== undefined)
    }
    if ('dataset' in optionsOf(prepared.properties)) {
      const { dataset: _, ...properties } = optionsOf(prepared.properties)
      prepared.properties = properties
    }
    return prepared
  }

  #standardBehavior(name: string): unknown {
    const known = this.#behaviors.get(name)
    if (!known) this.#phone.host.log('warn', `behavior "${name}" is not supported`)
    return known ?? null
  }

  #addStandardBehaviors(): void {
    const make = (definition: Definition) =>
      this.space
        .behavior()
        .definition(definition as never)
        .register()
    const field = { properties: { name: { type: String, value: '' }, value: { type: null, value: null } } }
    this.#behaviors.set('wx://form-field', make(field))
    this.#behaviors.set('wx://form-field-group', make({}))
    this.#behaviors.set('wx://form-field-button', make({}))
    this.#behaviors.set('wx://component-export', make({}))
  }

  #listen(): void {
    const described = new Set<string>()
    glassEasel.addGlobalErrorListener((error: unknown) => {
      this.#phone.report(error)
      return false
    })
    glassEasel.addGlobalWarningListener((message: string, where: unknown) => {
      // Devices pass over attributes they do not know.
      if (/is not a valid property/.test(message)) return false
      const missing = isMissing(message)
      const place = typeof where === 'string' ? where : String(optionsOf(where).is ?? '')
      const text = missing ? `<${missing}> is not a known component in ${place}` : `${message} (${place})`
      if (!described.has(text)) this.#phone.host.log(missing ? 'error' : 'warn', text)
      described.add(text)
      return false
    })
  }
}

type Caller = component.ComponentCaller<Definition, Record<string, never>, Record<string, never>, unknown>

/** Makes setData of pages and components take what JSON can carry, and only that. */
export function useJsonSetData(callerPrototype: object, phone: Phone): void {
  const prototype = callerPrototype as { setData: (this: Caller, data: Definition, callback?: () => void) => void }
  const original = prototype.setData
  prototype.setData = function (data, callback) {
    const updates = cloneUpdates(optionsOf(data), (text) => phone.host.log('warn', text))
    const done = functionOf(callback)
    original.call(this, updates, done ? () => phone.deliver(() => Reflect.apply(done, this, [])) : undefined)
  }
}
