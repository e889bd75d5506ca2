/** Pages and components without a view: their data and methods, for tests of an app's logic. */

import type { Bundle } from '../../framework/bundle.ts'
import { EventChannel } from '../../framework/event-channel.ts'
import type { Loader } from '../../framework/loader.ts'
import type { PageFactory, PageHandle, Query } from '../../framework/router.ts'
import { assignPath, cloneUpdates, jsonClone, parsePath } from '../../framework/set-data.ts'
import { functionOf, optionsOf } from '../../wx/call.ts'
import type { Phone } from '../../wx/phone.ts'

type Definition = Readonly<Record<string, unknown>>
type Instance = Record<string, unknown>

interface Registered {
  readonly definition: Definition
  readonly isComponent: boolean
}

const hookOf = (registered: Registered, instance: Instance, name: string) => {
  const { definition, isComponent } = registered
  const own = functionOf(instance[name])
  if (own || !isComponent) return own
  return functionOf(optionsOf(definition.lifetimes)[name]) ?? functionOf(definition[name])
}

/** The value a property starts with. */
function initialProperty(declared: unknown): unknown {
  const options = optionsOf(declared)
  if (typeof declared === 'object' && declared !== null && 'value' in options) return jsonClone(options.value)
  const type = typeof declared === 'function' ? declared : options.type
  if (type === String) return ''
  if (type === Number) return 0
  if (type === Boolean) return false
  if (type === Array) return []
  return null
}

function makeInstance(registered: Registered, phone: Phone): Instance {
  const { definition, isComponent } = registered
  const data: Record<string, unknown> = {}
  for (const [name, declared] of Object.entries(isComponent ? optionsOf(definition.properties) : {}))
    data[name] = initialProperty(declared)
  Object.assign(data, optionsOf(jsonClone(definition.data ?? {})))
  const own = isComponent ? optionsOf(definition.methods) : definition
  const instance: Instance = { ...own, data }
  if (isComponent) instance.properties = data
  instance.setData = (updates: unknown, callback?: unknown) => {
    const warn = (text: string) => phone.host.log('warn', text)
    for (const [path, value] of Object.entries(cloneUpdates(optionsOf(updates), warn)))
      assignPath(data, parsePath(path), value)
    const done = functionOf(callback)
    if (done) phone.deliver(() => Reflect.apply(done, instance, []))
  }
  return instance
}

/** Page, Component and Behavior for a realm, and a factory that opens what they registered. */
export function headlessPages(phone: Phone, bundle: Bundle) {
  const registered = new Map<string, Registered>()
  let loading = ''
  const register = (isComponent: boolean) => (definition: unknown) =>
    void registered.set(loading, { definition: optionsOf(definition), isComponent })
  const factory: PageFactory = {
    create: (route, query, channel) => openPage(phone, registered.get(route), route, query, channel),
    changed: () => {},
  }
  return {
    factory,
    constructors: { Page: register(false), Component: register(true), Behavior: (definition: unknown) => definition },
    loadComponents: (loader: Loader) => {
      for (const path of Object.keys(bundle.components)) {
        loading = path
        if (loader.resolve('/', `/${path}`)) phone.guard(() => loader.load(`/${path}.js`))
      }
    },
  }
}

function openPage(
  phone: Phone,
  found: Registered | undefined,
  route: string,
  query: Query,
  channel: EventChannel | null,
): PageHandle {
  if (!found) phone.host.log('error', `Page "${route}" has not been registered yet.`)
  const registered = found ?? { definition: {}, isComponent: false }
  const instance = makeInstance(registered, phone)
  const call = (name: string, ...args: unknown[]) => {
    const hook = hookOf(registered, instance, name)
    if (hook) phone.guard(() => Reflect.apply(hook, instance, args))
  }
  Object.assign(instance, {
    route,
    is: route,
    options: query,
    getOpenerEventChannel: () => channel ?? new EventChannel(),
  })
  if (registered.isComponent) call('created')
  let ready = false
  return {
    route,
    instance,
    channel,
    load: () => {
      if (registered.isComponent) call('attached')
      call('onLoad', query)
    },
    show: () => {
      call('onShow')
      if (ready) return
      ready = true
      call(registered.isComponent ? 'ready' : 'onReady')
      if (registered.isComponent) call('onReady')
    },
    hide: () => call('onHide'),
    destroy: () => {
      call('onUnload')
      if (registered.isComponent) call('detached')
    },
  }
}
