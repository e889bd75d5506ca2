/** slider: a track with a knob; changing while dragged, change at the end. */
import { make } from '../dom.ts'
import type { Behavior, Control, Spec } from './control.ts'

function setup(control: Control): Behavior {
  const input = make('input', { attributes: { type: 'range' } })
  const shown = make('span')
  control.element.append(input, shown)
  let initial: number | null = null
  input.addEventListener('input', () => {
    control.set('value', Number(input.value))
    control.emit('changing', { value: Number(input.value) })
  })
  input.addEventListener('change', () => control.emit('change', { value: Number(input.value) }))
  control.element.__field = {
    name: () => control.text('name'),
    value: () => Number(input.value),
    reset: () => control.set('value', initial ?? 0),
    activate: () => {},
  }
  return {
    update: () => {
      initial ??= control.number('value', 0)
      input.min = String(control.number('min', 0))
      input.max = String(control.number('max', 100))
      input.step = String(control.number('step', 1))
      input.disabled = control.flag('disabled')
      const value = String(control.number('value', 0))
      if (input.value !== value) input.value = value
      draw(control, input)
      shown.textContent = control.flag('showValue') ? input.value : ''
    },
  }
}

/** The track's two colors meet at the knob. */
function draw(control: Control, input: HTMLInputElement): void {
  const [min, max] = [Number(input.min), Number(input.max)]
  const part = max > min ? (Number(input.value) - min) / (max - min) : 0
  const size = Math.min(Math.max(control.number('blockSize', 28), 12), 28)
  const set = (name: string, value: string) => input.style.setProperty(name, value)
  set('--part', `${part * 100}%`)
  set('--active', control.text('activeColor') || control.text('selectedColor') || '#1aad19')
  set('--rest', control.text('backgroundColor') || control.text('color') || '#e9e9e9')
  set('--knob', `${size}px`)
  set('--knob-color', control.text('blockColor') || '#ffffff')
}

/** The component of this file. */
export const sliderSpecs: Readonly<Record<string, Spec>> = {
  slider: {
    properties: {
      name: String,
      min: { type: Number, value: 0 },
      max: { type: Number, value: 100 },
      step: { type: Number, value: 1 },
      value: { type: Number, value: 0 },
      disabled: Boolean,
      showValue: Boolean,
      activeColor: String,
      selectedColor: String,
      backgroundColor: String,
      color: String,
      blockSize: { type: Number, value: 28 },
      blockColor: String,
    },
    setup,
  },
}
