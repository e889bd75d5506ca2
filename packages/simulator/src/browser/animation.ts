/** wx.createAnimation: collects steps that the `animation` property plays. */
import { numberOf, type Options, optionsOf, stringOf } from '../wx/call.ts'
import type { AnimationStep } from './builtin/register.ts'

const length = (value: unknown): string => (typeof value === 'number' ? `${value}px` : String(value))

const TRANSFORMS: Readonly<Record<string, (values: readonly unknown[]) => string>> = {
  translate: ([x, y = 0]) => `translate(${length(x)},${length(y)})`,
  translateX: ([x]) => `translateX(${length(x)})`,
  translateY: ([y]) => `translateY(${length(y)})`,
  translate3d: ([x, y, z]) => `translate3d(${length(x)},${length(y)},${length(z)})`,
  rotate: ([angle]) => `rotate(${String(angle)}deg)`,
  rotateX: ([angle]) => `rotateX(${String(angle)}deg)`,
  rotateY: ([angle]) => `rotateY(${String(angle)}deg)`,
  rotateZ: ([angle]) => `rotateZ(${String(angle)}deg)`,
  scale: ([x, y = x]) => `scale(${String(x)},${String(y)})`,
  scaleX: ([x]) => `scaleX(${String(x)})`,
  scaleY: ([y]) => `scaleY(${String(y)})`,
  skew: ([x, y = 0]) => `skew(${String(x)}deg,${String(y)}deg)`,
  skewX: ([x]) => `skewX(${String(x)}deg)`,
  skewY: ([y]) => `skewY(${String(y)}deg)`,
}

const STYLES: Readonly<Record<string, string>> = {
  opacity: 'opacity',
  backgroundColor: 'background-color',
  width: 'width',
  height: 'height',
  top: 'top',
  left: 'left',
  bottom: 'bottom',
  right: 'right',
}

/** Builds an animation. */
export function createAnimation(defaults: Options): Record<string, unknown> {
  let steps: AnimationStep[] = []
  let transforms: string[] = []
  let style: Record<string, string> = {}
  const animation: Record<string, unknown> = {}
  for (const [name, write] of Object.entries(TRANSFORMS))
    animation[name] = (...values: readonly unknown[]) => {
      transforms.push(write(values))
      return animation
    }
  for (const [name, property] of Object.entries(STYLES))
    animation[name] = (value: unknown) => {
      style[property] = name === 'opacity' || name === 'backgroundColor' ? String(value) : length(value)
      return animation
    }
  animation.step = (raw?: unknown) => {
    const options = { ...defaults, ...optionsOf(raw) }
    steps.push({
      style: { ...style, ...(transforms.length > 0 ? { transform: transforms.join(' ') } : {}) },
      duration: numberOf(options.duration, 400),
      timing: stringOf(options.timingFunction, 'linear'),
      delay: numberOf(options.delay, 0),
    })
    style = {}
    transforms = []
    return animation
  }
  animation.export = () => {
    const exported = { steps }
    steps = []
    return exported
  }
  return animation
}
