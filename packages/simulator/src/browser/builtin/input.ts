/** input and textarea on the browser's own fields. */
import { make } from '../dom.ts'
import type { Behavior, Control, Properties, Spec } from './control.ts'

type NativeField = HTMLInputElement | HTMLTextAreaElement

const SHARED: Properties = {
  name: String,
  value: { type: null, value: '' },
  placeholder: String,
  placeholderClass: { type: String, value: 'input-placeholder' },
  placeholderStyle: String,
  disabled: Boolean,
  maxlength: { type: Number, value: 140 },
  focus: Boolean,
  autoFocus: Boolean,
  cursor: { type: Number, value: -1 },
  cursorSpacing: { type: null, value: 0 },
  cursorColor: String,
  selectionStart: { type: Number, value: -1 },
  selectionEnd: { type: Number, value: -1 },
  adjustPosition: { type: Boolean, value: true },
  holdKeyboard: Boolean,
  confirmHold: Boolean,
  alwaysEmbed: Boolean,
  adjustKeyboardTo: String,
}

const asText = (value: unknown): string => (value === undefined || value === null ? '' : String(value))

/** What input and textarea share: value both ways, placeholder, focus and the keyboard's key. */
class TextField {
  readonly #control: Control
  readonly #field: NativeField
  readonly #placeholder = make('div', { class: 'sim-placeholder' })
  #initial: string | null = null
  #focused = false

  constructor(control: Control, field: NativeField) {
    this.#control = control
    this.#field = field
    control.element.append(this.#placeholder, field)
    field.addEventListener('input', () => this.#typed())
    field.addEventListener('focus', () => {
      this.#focused = true
      control.services.core.keyboard.emit({ height: 0 })
      control.emit('focus', { value: field.value, height: 0 })
    })
    field.addEventListener('blur', () => {
      this.#focused = false
      control.emit('blur', {
        value: field.value,
        cursor: field.selectionStart ?? 0,
        encryptedValue: '',
        encryptError: '',
      })
    })
    control.element.__field = {
      name: () => control.text('name'),
      value: () => field.value,
      reset: () => control.set('value', this.#initial ?? ''),
      activate: () => field.focus(),
    }
  }

  update(): void {
    const control = this.#control
    const field = this.#field
    const value = asText(control.get('value'))
    this.#initial ??= value
    if (field.value !== value) field.value = value
    const limit = control.number('maxlength', 140)
    if (limit >= 0) field.maxLength = limit
    else field.removeAttribute('maxlength')
    field.disabled = control.flag('disabled')
    field.setAttribute('aria-label', control.text('placeholder'))
    if (control.text('cursorColor')) field.style.caretColor = control.text('cursorColor')
    this.#drawPlaceholder()
    this.#applyFocus()
  }

  attached(): void {
    if (this.#control.flag('autoFocus')) this.#field.focus()
  }

  confirm(): void {
    const { value } = this.#field
    this.#control.emit('confirm', { value })
    if (!this.#control.flag('confirmHold')) this.#field.blur()
  }

  /** A handler may return another value, or a value with a cursor. */
  #typed(): void {
    const field = this.#field
    this.#control.set('value', field.value)
    const detail = { value: field.value, cursor: field.selectionStart ?? field.value.length, keyCode: undefined }
    this.#control.emit('input', detail, {
      onReturn: (returned) => {
        const replacement =
          typeof returned === 'object' && returned !== null && 'value' in returned ? returned.value : returned
        if (typeof replacement === 'string') this.#control.set('value', replacement)
      },
    })
    this.#drawPlaceholder()
  }

  #drawPlaceholder(): void {
    const control = this.#control
    const placeholder = this.#placeholder
    placeholder.textContent = control.text('placeholder')
    placeholder.className = `sim-placeholder ${control.scopedClass(control.text('placeholderClass'))}`
    placeholder.style.cssText = control.text('placeholderStyle')
    placeholder.hidden = this.#field.value !== ''
  }

  /** Focus follows the property when it changes, not on every update. */
  #wantedFocus = false
  #applyFocus(): void {
    const wanted = this.#control.flag('focus')
    if (wanted === this.#wantedFocus) return
    this.#wantedFocus = wanted
    // The element may not be in the document yet.
    window.requestAnimationFrame(() => {
      if (wanted && !this.#focused) this.#field.focus()
      else if (!wanted && this.#focused) this.#field.blur()
    })
  }
}

const INPUT_MODES: Readonly<Record<string, string>> = {
  number: 'numeric',
  idcard: 'text',
  digit: 'decimal',
  'safe-password': 'text',
  nickname: 'text',
}

function inputSetup(control: Control): Behavior {
  const native = make('input', { attributes: { autocomplete: 'off' } })
  const field = new TextField(control, native)
  native.addEventListener('keydown', (event) => {
    // While an input method composes, Enter picks a candidate.
    if (event.key === 'Enter' && !event.isComposing) field.confirm()
  })
  return {
    attached: () => field.attached(),
    update: () => {
      const type = control.text('type')
      native.type = control.flag('password') ? 'password' : 'text'
      native.inputMode = INPUT_MODES[type] ?? 'text'
      native.enterKeyHint = control.text('confirmType')
      field.update()
    },
  }
}

function textareaSetup(control: Control): Behavior {
  const native = make('textarea', { attributes: { rows: '1' } })
  const field = new TextField(control, native)
  let lines = 0
  const grow = () => {
    if (!control.flag('autoHeight')) return
    native.style.height = 'auto'
    const height = native.scrollHeight
    native.style.height = `${height}px`
    const lineHeight = Number.parseFloat(getComputedStyle(native).lineHeight) || 20
    const count = Math.max(1, Math.round(height / lineHeight))
    if (count === lines) return
    lines = count
    control.emit('linechange', { height, heightRpx: (height * 750) / window.innerWidth, lineCount: count, lineHeight })
  }
  native.addEventListener('input', grow)
  native.addEventListener('keydown', (event) => {
    const type = control.text('confirmType')
    if (event.key !== 'Enter' || event.isComposing || type === 'return' || type === '') return
    event.preventDefault()
    field.confirm()
  })
  return {
    attached: () => {
      field.attached()
      grow()
    },
    update: () => {
      control.element.toggleAttribute('auto-height', control.flag('autoHeight'))
      native.enterKeyHint = control.text('confirmType') === 'return' ? 'enter' : control.text('confirmType')
      field.update()
      window.requestAnimationFrame(grow)
    },
  }
}

/** The components of this file. */
export const inputSpecs: Readonly<Record<string, Spec>> = {
  input: {
    properties: {
      ...SHARED,
      type: { type: String, value: 'text' },
      password: Boolean,
      confirmType: { type: String, value: 'done' },
    },
    setup: inputSetup,
  },
  textarea: {
    properties: {
      ...SHARED,
      placeholderClass: { type: String, value: 'textarea-placeholder' },
      autoHeight: Boolean,
      fixed: Boolean,
      showConfirmBar: { type: Boolean, value: true },
      disableDefaultPadding: Boolean,
      confirmType: { type: String, value: 'return' },
    },
    setup: textareaSetup,
  },
}
