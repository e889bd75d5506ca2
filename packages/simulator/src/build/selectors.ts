/** Rewrites WXSS selectors for a DOM page: built-in tags, class prefixes of isolated components, `:host`, and pages kept apart. */

export interface SelectorScope {
  /** Class prefix of an isolated component. */
  readonly prefix: string | null
  /** The page a page's own sheet is limited to. */
  readonly route: string | null
  readonly builtin: (tag: string) => boolean
}

const NAME = /^(?:[\w\u0080-\uffff-]|\\.)+/

/** Copies a bracketed part whole: attribute selectors hold strings that look like selectors. */
function bracketEnd(text: string, at: number): number {
  let quote = ''
  for (let index = at; index < text.length; index++) {
    const character = text.charAt(index)
    if (quote !== '') {
      if (character === quote) quote = ''
    } else if (character === '"' || character === "'") quote = character
    else if (character === ']') return index + 1
  }
  return text.length
}

function rewriteName(mark: string, name: string, scope: SelectorScope): string {
  if (mark === '.') return `.${scope.prefix === null ? '' : `${scope.prefix}--`}${name}`
  if (mark !== '') return `${mark}${name}`
  if (name === 'page') return 'wx-page'
  return scope.builtin(name) ? `wx-${name}` : name
}

/** One selector, without commas at its top level or with them. */
function rewriteTokens(selector: string, scope: SelectorScope): string {
  let out = ''
  for (let at = 0; at < selector.length; ) {
    const character = selector.charAt(at)
    if (character === '[') {
      const end = bracketEnd(selector, at)
      out += selector.slice(at, end)
      at = end
      continue
    }
    const mark = /^(?:\.|#|::?)/.exec(selector.slice(at))?.[0] ?? ''
    const name = NAME.exec(selector.slice(at + mark.length))?.[0] ?? ''
    if (mark === ':' && name === 'host') {
      out += scope.prefix === null ? 'wx-page' : `[wx-host="${scope.prefix}"]`
      at += 5
      // The argument of :host(...) is about the host, whose classes belong to the user of the component.
      const argument = /^\(([^()]*)\)/.exec(selector.slice(at))
      out += argument?.[1] ?? ''
      at += argument?.[0].length ?? 0
    } else if (name !== '' && !(mark === '' && /^[\d-]/.test(name))) {
      out += rewriteName(mark, name, scope)
      at += mark.length + name.length
    } else {
      out += selector.slice(at, at + Math.max(1, mark.length + name.length))
      at += Math.max(1, mark.length + name.length)
    }
  }
  return out
}

/** Limits a rewritten selector to one page without raising its weight, so that app.wxss and page sheets still compete by order. */
function limitToPage(selector: string, route: string): string {
  const here = `:where([is="${route}"])`
  if (/^wx-page(?![\w-])/.test(selector)) return selector.replace('wx-page', `wx-page${here}`)
  return `${here} ${selector}`
}

/** Rewrites one selector. */
export function rewriteSelector(selector: string, scope: SelectorScope): string {
  const rewritten = rewriteTokens(selector.trim(), scope)
  return scope.route === null ? rewritten : limitToPage(rewritten, scope.route)
}
