/** Registers the built-in components with the engine. */
import { COMPONENTS } from '../../wx/create.ts'
import { UNSUPPORTED, type WxElement } from '../glass.ts'
import { basicSpecs } from './basic.ts'
import { buttonSpecs } from './button.ts'
import { choiceSpecs } from './choice.ts'
import { type Behavior, Control, type Properties, type Services, type Spec } from './control.ts'
import { formSpecs } from './form.ts'
import { imageSpecs } from './image.ts'
import { inputSpecs } from './input.ts'
import { pickerSpecs } from './picker.ts'
import { scrollSpecs } from './scroll-view.ts'
import { sliderSpecs } from './slider.ts'
import { swiperSpecs } from './swiper.ts'
import { videoSpecs } from './video.ts'

const COMMON: Properties = {
  hidden: Boolean,
  hoverClass: String,
  hoverStopPropagation: Boolean,
  hoverStartTime: Number,
  hoverStayTime: Number,
  animation: Object,
  ariaRole: String,
  ariaLabel: String,
  ariaHidden: null,
  ariaDisabled: null,
  ariaChecked: null,
  ariaModal: null,
  role: String,
}

const SPECS: Readonly<Record<string, Spec>> = {
  ...basicSpecs,
  ...imageSpecs,
  ...buttonSpecs,
  ...inputSpecs,
  ...choiceSpecs,
  ...formSpecs,
  ...scrollSpecs,
  ...sliderSpecs,
  ...swiperSpecs,
  ...pickerSpecs,
  ...videoSpecs,
}

interface Caller {
  readonly _$: WxElement
}

/** Adds every component to the space, and one that stands in for unknown tags. */
export function registerBuiltins(services: Services): void {
  const space = services.environment.space
  const behaviors = new WeakMap<WxElement, Behavior>()
  const register = (path: string, spec: Spec) =>
    space
      .component(path)
      .definition(definitionOf(spec, services, behaviors) as never)
      .register() as unknown as { _$: never }
  for (const tag of COMPONENTS)
    space.getComponentSpace().setGlobalUsingComponent(tag, register(`wx-builtin/${tag}`, SPECS[tag] ?? {})._$)
  for (const tag of UNSUPPORTED)
    space.getComponentSpace().setGlobalUsingComponent(tag, register(`wx-builtin/${tag}`, stub(tag))._$)
  register('', {})
}

function definitionOf(spec: Spec, services: Services, behaviors: WeakMap<WxElement, Behavior>): object {
  const behaviorOf = (caller: Caller) => behaviors.get(caller._$)
  return {
    properties: { ...COMMON, ...spec.properties },
    observers: {
      '**'(this: Caller) {
        syncCommon(this._$)
        behaviorOf(this)?.update?.()
      },
    },
    lifetimes: {
      created(this: Caller) {
        const control = new Control(this._$, services)
        behaviors.set(this._$, spec.setup?.(control) ?? {})
      },
      attached(this: Caller) {
        syncCommon(this._$)
        const behavior = behaviorOf(this)
        behavior?.update?.()
        behavior?.attached?.()
      },
      detached(this: Caller) {
        behaviorOf(this)?.detached?.()
      },
    },
  }
}

/** `hidden`, and the steps of an exported animation. */
function syncCommon(node: WxElement): void {
  const element = node.$$ as HTMLElement
  element.toggleAttribute('hidden', node.data?.hidden === true || node.data?.hidden === 'true')
  const animation = node.data?.animation as { steps?: readonly AnimationStep[] } | null | undefined
  if (animation?.steps) playAnimation(element, animation.steps)
}

export interface AnimationStep {
  readonly style: Readonly<Record<string, string>>
  readonly duration: number
  readonly timing: string
  readonly delay: number
}

const played = new WeakMap<HTMLElement, unknown>()

function playAnimation(element: HTMLElement, steps: readonly AnimationStep[]): void {
  if (played.get(element) === steps) return
  played.set(element, steps)
  let start = 0
  for (const step of steps) {
    window.setTimeout(() => {
      element.style.transition = `all ${step.duration}ms ${step.timing}`
      for (const [name, value] of Object.entries(step.style)) element.style.setProperty(name, value)
    }, start + step.delay)
    start += step.delay + step.duration
  }
}

/** A component that is known but not simulated says so, on the screen and in the console. */
const stub = (tag: string): Spec => ({
  setup: (control) => ({
    attached: () => {
      control.element.dataset.simStub = `<${tag}> is not simulated`
      control.services.core.phone.host.log('error', `<${tag}> is not simulated`)
    },
  }),
})
