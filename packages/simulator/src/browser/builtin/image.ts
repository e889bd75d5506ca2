/** image: modes, lazy loading, load and error. */
import type { Behavior, Control, Spec } from './control.ts'

/** Shows a picture in the element; shared with cover-image. */
export function imageSetup(control: Control): Behavior {
  const image = document.createElement('img')
  image.alt = ''
  image.draggable = false
  control.element.append(image)
  let shown = ''
  image.addEventListener('load', () => control.emit('load', { width: image.naturalWidth, height: image.naturalHeight }))
  image.addEventListener('error', () => {
    if (shown !== '') control.emit('error', { errMsg: `GET ${shown} 404 (Not Found)` })
  })
  return {
    update: () => {
      const src = control.text('src')
      control.element.setAttribute('mode', control.text('mode') || 'scaleToFill')
      image.loading = control.flag('lazyLoad') ? 'lazy' : 'eager'
      if (src === shown) return
      shown = src
      if (src === '') image.removeAttribute('src')
      else image.src = control.services.mediaUrl(src, control.owner)
    },
  }
}

/** The component of this file. */
export const imageSpecs: Readonly<Record<string, Spec>> = {
  image: {
    properties: {
      src: String,
      mode: { type: String, value: 'scaleToFill' },
      lazyLoad: Boolean,
      webp: Boolean,
      showMenuByLongpress: Boolean,
      fadeIn: Boolean,
    },
    setup: imageSetup,
  },
}
