/** form and label: collecting values, resetting, and taps that reach a control. */
import type { ControlElement, Field, Spec } from './control.ts'

interface Form {
  submit(): void
  reset(): void
}

type FormElement = ControlElement & { __form?: Form }

/** The form around an element. */
export const formOf = (element: HTMLElement): Form | null =>
  (element.closest('wx-form') as FormElement | null)?.__form ?? null

interface CustomField {
  readonly data?: Readonly<Record<string, unknown>>
}

/** Named controls inside an element, the built-in ones and components with the form-field behavior. */
function valuesIn(root: HTMLElement): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const element of root.querySelectorAll<ControlElement>('*')) {
    const field = element.__field
    if (field) {
      if (field.name() !== '') values[field.name()] = field.value()
      continue
    }
    const data = (element.__wxElement as CustomField | undefined)?.data
    const name = element.tagName.startsWith('WX-') ? '' : data?.name
    if (typeof name === 'string' && name !== '' && data && 'value' in data) values[name] = data.value
  }
  return values
}

const form: Spec = {
  properties: { reportSubmit: Boolean, reportSubmitTimeout: Number },
  setup: (control) => {
    const element: FormElement = control.element
    element.__form = {
      submit: () => control.emit('submit', { value: valuesIn(element), formId: '' }),
      reset: () => {
        for (const one of element.querySelectorAll<ControlElement>('*')) one.__field?.reset()
        control.emit('reset', {})
      },
    }
    return {}
  },
}

/** The control a label stands for: by id, else the first inside. */
function labelled(element: HTMLElement, id: string): Field | null {
  const page = element.closest('.sim-page') ?? document
  const host = id === '' ? element : page.querySelector<HTMLElement>(`#${CSS.escape(id)}`)
  if (!host) return null
  const own = (host as ControlElement).__field
  if (own) return own
  return Array.from(host.querySelectorAll<ControlElement>('*')).find((one) => one.__field)?.__field ?? null
}

const label: Spec = {
  properties: { for: String },
  setup: (control) => {
    let last: EventTarget | null = null
    control.element.addEventListener('pointerdown', (event) => {
      last = event.target
    })
    control.onTap(() => {
      const inside = (last as HTMLElement | null)?.closest(
        'wx-checkbox,wx-radio,wx-switch,wx-button,wx-input,wx-textarea',
      )
      // A tap on the control itself has done its work already.
      if (inside && control.element.contains(inside)) return
      labelled(control.element, control.text('for'))?.activate()
    })
    return {}
  },
}

/** The components of this file. */
export const formSpecs: Readonly<Record<string, Spec>> = { form, label }
