/** view, text, icon, progress, rich-text, navigator and the cover components. */
import { make } from '../dom.ts'
import type { Control, Spec } from './control.ts'
import { imageSetup } from './image.ts'

const text: Spec = {
  properties: { selectable: Boolean, userSelect: Boolean, space: String, decode: Boolean },
  setup: (control) => ({
    update: () => {
      control.element.toggleAttribute('selectable', control.flag('selectable') || control.flag('userSelect'))
      control.element.toggleAttribute('space', control.text('space') !== '')
    },
  }),
}

const ICONS: Readonly<Record<string, readonly [sign: string, color: string]>> = {
  success: ['✓', '#09BB07'],
  success_no_circle: ['✓', '#09BB07'],
  info: ['i', '#10AEFF'],
  warn: ['!', '#F76260'],
  waiting: ['…', '#10AEFF'],
  cancel: ['×', '#F43530'],
  download: ['↓', '#09BB07'],
  search: ['⌕', '#B2B2B2'],
  clear: ['×', '#B2B2B2'],
}

const icon: Spec = {
  properties: { type: String, size: { type: null, value: 23 }, color: String },
  setup: (control) => {
    const glyph = make('i')
    control.element.append(glyph)
    return {
      update: () => {
        const type = control.text('type')
        const [sign, color] = ICONS[type] ?? ['', '']
        const size = `${Number.parseFloat(control.text('size')) || 23}px`
        const plain = type === 'search' || type === 'success_no_circle'
        glyph.textContent = sign
        glyph.className = plain ? 'sim-plain' : ''
        glyph.style.cssText = `width:${size};height:${size};font-size:calc(${size} * ${plain ? 1 : 0.7});line-height:${size};--icon:${control.text('color') || color}`
      },
    }
  },
}

const progress: Spec = {
  properties: {
    percent: Number,
    showInfo: Boolean,
    strokeWidth: { type: null, value: 6 },
    activeColor: { type: String, value: '#09BB07' },
    color: String,
    backgroundColor: { type: String, value: '#EBEBEB' },
    borderRadius: { type: null, value: 0 },
    active: Boolean,
    duration: { type: Number, value: 30 },
    fontSize: { type: null, value: 16 },
  },
  setup: (control) => {
    const inner = make('div', { class: 'sim-progress-inner' })
    const bar = make('div', { class: 'sim-progress-bar', children: [inner] })
    const info = make('span')
    control.element.append(bar, info)
    return {
      update: () => {
        const percent = Math.min(100, Math.max(0, control.number('percent', 0)))
        bar.style.height = `${Number.parseFloat(control.text('strokeWidth')) || 6}px`
        bar.style.background = control.text('backgroundColor')
        bar.style.borderRadius = `${Number.parseFloat(control.text('borderRadius')) || 0}px`
        inner.style.background = control.text('color') || control.text('activeColor')
        inner.style.width = `${percent}%`
        info.textContent = control.flag('showInfo') ? `${percent}%` : ''
      },
    }
  },
}

const navigator: Spec = {
  properties: {
    url: String,
    openType: { type: String, value: 'navigate' },
    delta: { type: Number, value: 1 },
    target: String,
    hoverClass: { type: String, value: 'navigator-hover' },
  },
  setup: (control) => {
    control.onTap(() => navigate(control))
    return {}
  },
}

const NAVIGATIONS: Readonly<Record<string, string>> = {
  navigate: 'navigateTo',
  redirect: 'redirectTo',
  switchTab: 'switchTab',
  reLaunch: 'reLaunch',
}

function navigate(control: Control): void {
  const type = control.text('openType')
  const fail = (result: unknown) => control.services.core.phone.host.log('error', result)
  if (type === 'navigateBack') control.call('navigateBack', { delta: control.number('delta', 1), fail })
  else if (NAVIGATIONS[type]) control.call(NAVIGATIONS[type], { url: control.text('url'), fail })
}

interface RichNode {
  readonly name?: string
  readonly type?: string
  readonly text?: string
  readonly attrs?: Readonly<Record<string, unknown>>
  readonly children?: readonly RichNode[]
}

const RICH_TAGS = new Set(
  'a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del div dl dt em fieldset font footer h1 h2 h3 h4 h5 h6 header hr i img ins label legend li mark nav ol p pre q rt ruby s section small span strong sub sup table tbody td tfoot th thead tr tt u ul'.split(
    ' ',
  ),
)
const RICH_ATTRIBUTES = new Set([
  'class',
  'style',
  'src',
  'alt',
  'width',
  'height',
  'colspan',
  'rowspan',
  'span',
  'start',
  'type',
  'dir',
])

/** Nodes by the allow list: no scripts, no handlers, no links. */
function richElement(node: RichNode): Node {
  if (node.type === 'text' || node.name === undefined) return document.createTextNode(node.text ?? '')
  const name = node.name.toLowerCase()
  if (!RICH_TAGS.has(name)) return document.createDocumentFragment()
  const element = document.createElement(name === 'a' ? 'span' : name)
  for (const [attribute, value] of Object.entries(node.attrs ?? {}))
    if (RICH_ATTRIBUTES.has(attribute)) element.setAttribute(attribute, String(value))
  for (const child of node.children ?? []) element.append(richElement(child))
  return element
}

function parseRich(node: ChildNode): RichNode {
  if (!(node instanceof Element)) return { type: 'text', text: node.textContent ?? '' }
  return {
    name: node.tagName.toLowerCase(),
    attrs: Object.fromEntries(Array.from(node.attributes, ({ name, value }) => [name, value])),
    children: Array.from(node.childNodes, parseRich),
  }
}

const richText: Spec = {
  properties: { nodes: { type: null, value: [] }, space: String, userSelect: Boolean },
  setup: (control) => {
    let shown: unknown
    return {
      update: () => {
        const nodes = control.get('nodes')
        if (nodes === shown) return
        shown = nodes
        // A template's content is inert: nothing in it loads or runs while it is read.
        const template = document.createElement('template')
        if (typeof nodes === 'string') template.innerHTML = nodes
        const list: readonly RichNode[] =
          typeof nodes === 'string'
            ? Array.from(template.content.childNodes, parseRich)
            : Array.isArray(nodes)
              ? (nodes as RichNode[])
              : []
        control.element.replaceChildren(...list.map(richElement))
      },
    }
  },
}

/** The components of this file. */
export const basicSpecs: Readonly<Record<string, Spec>> = {
  view: {},
  text,
  icon,
  progress,
  navigator,
  'rich-text': richText,
  'cover-view': { properties: { scrollTop: null } },
  'cover-image': { properties: { src: String, mode: String }, setup: imageSetup },
  'root-portal': { properties: { enable: { type: Boolean, value: true } } },
}
