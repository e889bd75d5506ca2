/** checkbox, radio, switch and their groups. */
import { make } from '../dom.ts'
import type { Control, ControlElement, Spec } from './control.ts'

type GroupElement = ControlElement & { __changed?: (from: HTMLElement) => void }

/** A box that is on or off, with what a group needs to know of it. */
type ChoiceElement = ControlElement & { __choice?: { value(): string; checked(): boolean; set(on: boolean): void } }

const choices = (group: HTMLElement, tag: string) => Array.from(group.querySelectorAll<ChoiceElement>(tag))

function tellGroup(element: HTMLElement, group: string): void {
  ;(element.closest(group) as GroupElement | null)?.__changed?.(element)
}

/** A checkbox or a radio button. */
function choice(kind: 'checkbox' | 'radio'): Spec {
  return {
    properties: { value: String, checked: Boolean, disabled: Boolean, color: { type: String, value: '#09BB07' } },
    setup: (control) => {
      const box = make('i', { class: `sim-${kind}` })
      control.element.prepend(box)
      const element: ChoiceElement = control.element
      let initial: boolean | null = null
      const set = (on: boolean) => control.set('checked', on)
      element.__choice = { value: () => control.text('value'), checked: () => control.flag('checked'), set }
      const activate = () => {
        if (control.flag('disabled') || (kind === 'radio' && control.flag('checked'))) return
        set(kind === 'radio' || !control.flag('checked'))
        tellGroup(element, `wx-${kind}-group`)
      }
      element.__field = { name: () => '', value: () => '', reset: () => set(initial ?? false), activate }
      control.onTap(activate)
      return {
        update: () => {
          initial ??= control.flag('checked')
          box.toggleAttribute('checked', control.flag('checked'))
          box.toggleAttribute('disabled', control.flag('disabled'))
          box.style.setProperty('--color', control.text('color'))
        },
      }
    },
  }
}

/** A group reports the values that are on. */
function group(kind: 'checkbox' | 'radio'): Spec {
  return {
    properties: { name: String },
    setup: (control) => {
      const element: GroupElement = control.element
      const members = () => choices(element, `wx-${kind}`)
      const value = () => {
        const on = members().filter((one) => one.__choice?.checked())
        const values = on.map((one) => one.__choice?.value() ?? '')
        return kind === 'radio' ? (values[0] ?? '') : values
      }
      element.__changed = (from) => {
        if (kind === 'radio')
          for (const one of members()) if (one !== from && one.__choice?.checked()) one.__choice.set(false)
        control.emit('change', { value: value() })
      }
      element.__field = { name: () => control.text('name'), value, reset: () => {}, activate: () => {} }
      return {}
    },
  }
}

function switchSetup(control: Control) {
  const knob = make('i', { class: 'sim-switch' })
  control.element.append(knob)
  let initial: boolean | null = null
  const activate = () => {
    if (control.flag('disabled')) return
    control.set('checked', !control.flag('checked'))
    control.emit('change', { value: control.flag('checked') })
  }
  control.element.__field = {
    name: () => control.text('name'),
    value: () => control.flag('checked'),
    reset: () => control.set('checked', initial ?? false),
    activate,
  }
  control.onTap(activate)
  return {
    update: () => {
      initial ??= control.flag('checked')
      knob.className = control.text('type') === 'checkbox' ? 'sim-checkbox' : 'sim-switch'
      knob.toggleAttribute('checked', control.flag('checked'))
      knob.toggleAttribute('disabled', control.flag('disabled'))
      knob.style.setProperty('--color', control.text('color'))
    },
  }
}

/** The components of this file. */
export const choiceSpecs: Readonly<Record<string, Spec>> = {
  checkbox: choice('checkbox'),
  radio: choice('radio'),
  'checkbox-group': group('checkbox'),
  'radio-group': group('radio'),
  switch: {
    properties: {
      name: String,
      checked: Boolean,
      disabled: Boolean,
      type: { type: String, value: 'switch' },
      color: { type: String, value: '#04BE02' },
    },
    setup: switchSetup,
  },
}
