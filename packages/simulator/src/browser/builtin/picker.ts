/** picker: a sheet of columns for selector, multiSelector, time and date. */
import { make } from '../dom.ts'
import type { Behavior, Control, Spec } from './control.ts'

/** One picking session: columns of texts, the chosen rows, and the value they make. */
interface Wheel {
  columns(): readonly (readonly string[])[]
  chosen: number[]
  value(): unknown
  /** A row of a column was chosen. */
  turned?(column: number): void
}

const label = (item: unknown, key: string): string => {
  const value = key !== '' && typeof item === 'object' && item !== null ? (item as Record<string, unknown>)[key] : item
  return String(value ?? '')
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const two = (value: number) => String(value).padStart(2, '0')
const span = (from: number, to: number) => Array.from({ length: Math.max(0, to - from + 1) }, (_, at) => from + at)

function selector(control: Control): Wheel {
  const key = control.text('rangeKey')
  const texts = list(control.get('range')).map((item) => label(item, key))
  const wheel: Wheel = {
    columns: () => [texts],
    chosen: [Number(control.get('value')) || 0],
    value: () => wheel.chosen[0],
  }
  return wheel
}

function multiSelector(control: Control): Wheel {
  const key = control.text('rangeKey')
  const columns = () => list(control.get('range')).map((column) => list(column).map((item) => label(item, key)))
  const initial = list(control.get('value'))
  const wheel: Wheel = {
    columns,
    chosen: columns().map((_, index) => Number(initial[index]) || 0),
    value: () => [...wheel.chosen],
    turned: (column) => control.emit('columnchange', { column, value: wheel.chosen[column] }),
  }
  return wheel
}

function time(control: Control): Wheel {
  const [hours, minutes] = [span(0, 23).map(two), span(0, 59).map(two)]
  const [hour = 0, minute = 0] = (control.text('value') || '00:00').split(':').map(Number)
  const clamp = (value: string) => {
    const [start, end] = [control.text('start'), control.text('end')]
    return start !== '' && value < start ? start : end !== '' && value > end ? end : value
  }
  const wheel: Wheel = {
    columns: () => [hours, minutes],
    chosen: [hour, minute],
    value: () => clamp(`${two(wheel.chosen[0] ?? 0)}:${two(wheel.chosen[1] ?? 0)}`),
  }
  return wheel
}

function date(control: Control): Wheel {
  const fields = { year: 1, month: 2, day: 3 }[control.text('fields')] ?? 3
  const today = new Date(control.services.core.phone.clock.now())
  const now = `${today.getFullYear()}-${two(today.getMonth() + 1)}-${two(today.getDate())}`
  const partsOf = (text: string) => text.split('-').map(Number)
  const [firstYear = 1970] = partsOf(control.text('start') || '1970')
  const [lastYear = 2100] = partsOf(control.text('end') || '2100')
  const [year = firstYear, month = 1, day = 1] = partsOf(control.text('value') || now)
  const years = span(firstYear, lastYear)
  const chosenYear = () => years[wheel.chosen[0] ?? 0] ?? firstYear
  const days = () => new Date(chosenYear(), (wheel.chosen[1] ?? 0) + 1, 0).getDate()
  const wheel: Wheel = {
    columns: () =>
      [
        years.map((one) => `${one}年`),
        span(1, 12).map((one) => `${one}月`),
        span(1, days()).map((one) => `${one}日`),
      ].slice(0, fields),
    chosen: [Math.max(0, years.indexOf(year)), month - 1, day - 1].slice(0, fields),
    value: () => {
      const value = [
        String(chosenYear()),
        two((wheel.chosen[1] ?? 0) + 1),
        two(Math.min((wheel.chosen[2] ?? 0) + 1, days())),
      ]
      return value.slice(0, fields).join('-')
    },
  }
  return wheel
}

const WHEELS: Readonly<Record<string, (control: Control) => Wheel>> = { selector, multiSelector, time, date }

function drawColumn(texts: readonly string[], chosen: number, choose: (row: number) => void): HTMLElement {
  const rows = texts.map((text, row) =>
    make('div', {
      class: `sim-picker-row${row === chosen ? ' sim-chosen' : ''}`,
      text,
      on: { click: () => choose(row) },
    }),
  )
  const column = make('div', { class: 'sim-picker-column', children: rows })
  window.requestAnimationFrame(() => rows[chosen]?.scrollIntoView({ block: 'center' }))
  return column
}

function open(control: Control, onClose: () => void): () => void {
  const wheel = WHEELS[control.text('mode')]?.(control)
  if (!wheel) {
    control.services.core.phone.host.log('error', `<picker mode="${control.text('mode')}"> is not simulated`)
    return () => {}
  }
  const columns = make('div', { class: 'sim-picker-columns' })
  const draw = () =>
    columns.replaceChildren(
      ...wheel.columns().map((texts, index) =>
        drawColumn(texts, wheel.chosen[index] ?? 0, (row) => {
          wheel.chosen[index] = row
          wheel.turned?.(index)
          draw()
        }),
      ),
    )
  draw()
  const finish = (confirmed: boolean) => {
    close()
    onClose()
    if (!confirmed) return control.emit('cancel', {})
    const value = wheel.value()
    control.set('value', value)
    control.emit('change', { value })
  }
  const button = (text: string, kind: string, confirmed: boolean) =>
    make('span', { class: kind, text, on: { click: () => finish(confirmed) } })
  const head = make('div', {
    class: 'sim-picker-head',
    children: [
      button('取消', 'sim-picker-cancel', false),
      make('b', { text: control.text('headerText') }),
      button('确定', 'sim-picker-confirm', true),
    ],
  })
  const close = control.services.overlays.showSheet(
    make('div', { class: 'sim-picker', children: [head, columns] }),
    () => finish(false),
  )
  return draw
}

function setup(control: Control): Behavior {
  let redraw: (() => void) | null = null
  control.onTap(() => {
    redraw = open(control, () => {
      redraw = null
    })
  })
  control.element.__field = {
    name: () => control.text('name'),
    value: () => control.get('value'),
    reset: () => {},
    activate: () => {},
  }
  // The app may change the range while the sheet is open, in answer to columnchange.
  return { update: () => redraw?.() }
}

/** The component of this file. */
export const pickerSpecs: Readonly<Record<string, Spec>> = {
  picker: {
    properties: {
      name: String,
      mode: { type: String, value: 'selector' },
      range: { type: null, value: [] },
      rangeKey: String,
      value: { type: null, value: 0 },
      start: String,
      end: String,
      fields: { type: String, value: 'day' },
      disabled: Boolean,
      headerText: String,
      level: String,
      customItem: String,
    },
    setup,
  },
}
