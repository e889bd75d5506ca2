/** Toasts, dialogs, action sheets and picture previews over the pages, and the file chooser. */
import type { ChooseCall, ModalAnswer, ModalCall, PickedFile, ToastCall } from '../wx/host.ts'
import { make } from './dom.ts'
import { packageUrl } from './screen.ts'

export class Overlays {
  readonly #layer: HTMLElement
  readonly #imageUrl: (path: string) => string
  #toast: HTMLElement | null = null

  constructor(layer: HTMLElement, imageUrl: (path: string) => string) {
    this.#layer = layer
    this.#imageUrl = imageUrl
  }

  showToast(call: ToastCall): void {
    this.hideToast()
    const icons: Readonly<Record<string, string>> = { success: '✓', error: '!', loading: '' }
    const icon = call.image
      ? make('img', { class: 'sim-toast-image', attributes: { src: packageUrl(call.image), alt: '' } })
      : call.icon === 'none'
        ? null
        : make('span', {
            class: call.icon === 'loading' ? 'sim-spinner sim-toast-loading' : 'sim-toast-icon',
            text: icons[call.icon] ?? '',
          })
    const box = make('div', {
      class: `sim-toast${icon ? '' : ' sim-toast-plain'}`,
      children: [icon, make('p', { text: call.title })],
    })
    this.#toast = make('div', { class: `sim-toast-holder${call.mask ? ' sim-mask-clear' : ''}`, children: [box] })
    this.#layer.append(this.#toast)
  }

  hideToast(): void {
    this.#toast?.remove()
    this.#toast = null
  }

  showModal(call: ModalCall, done: (answer: ModalAnswer) => void): void {
    const input = call.editable
      ? make('textarea', { class: 'sim-modal-input', attributes: { placeholder: call.placeholderText } })
      : null
    if (input) input.value = call.content
    const close = (confirm: boolean) => {
      mask.remove()
      done(input ? { confirm, content: input.value } : { confirm })
    }
    const button = (text: string, color: string, kind: string, confirm: boolean) =>
      make('div', { class: `sim-modal-button ${kind}`, text, style: { color }, on: { click: () => close(confirm) } })
    const buttons = make('div', {
      class: 'sim-modal-buttons',
      children: [
        call.showCancel ? button(call.cancelText, call.cancelColor, 'sim-modal-cancel', false) : null,
        button(call.confirmText, call.confirmColor, 'sim-modal-confirm', true),
      ],
    })
    const box = make('div', {
      class: 'sim-modal',
      children: [
        call.title ? make('div', { class: 'sim-modal-title', text: call.title }) : null,
        input ?? make('div', { class: `sim-modal-content${call.title ? '' : ' sim-alone'}`, text: call.content }),
        buttons,
      ],
    })
    const mask = make('div', { class: 'sim-mask', children: [box] })
    this.#layer.append(mask)
  }

  showActionSheet(items: readonly string[], color: string, done: (index: number) => void): void {
    const close = (index: number) => {
      mask.remove()
      done(index)
    }
    const rows = items.map((text, index) =>
      make('div', { class: 'sim-sheet-item', text, style: { color }, on: { click: () => close(index) } }),
    )
    const cancel = make('div', {
      class: 'sim-sheet-item sim-sheet-cancel',
      text: '取消',
      on: { click: () => close(-1) },
    })
    const sheet = make('div', { class: 'sim-sheet', children: [...rows, cancel] })
    const mask = make('div', { class: 'sim-mask sim-mask-bottom', children: [sheet] })
    mask.addEventListener('click', (event) => {
      if (event.target === mask) close(-1)
    })
    this.#layer.append(mask)
  }

  previewImage(urls: readonly string[], current: number): void {
    const image = make('img', { attributes: { src: this.#imageUrl(urls[current] ?? ''), alt: '' } })
    const count = make('span', { text: urls.length > 1 ? `${current + 1} / ${urls.length}` : '' })
    const layer = make('div', { class: 'sim-preview', children: [count, image], on: { click: () => layer.remove() } })
    this.#layer.append(layer)
  }

  /** A system sheet of any content, closed by the returned function. */
  showSheet(content: HTMLElement, onCancel: () => void): () => void {
    const mask = make('div', { class: 'sim-mask sim-mask-bottom', children: [content] })
    mask.addEventListener('click', (event) => {
      if (event.target !== mask) return
      mask.remove()
      onCancel()
    })
    this.#layer.append(mask)
    return () => mask.remove()
  }
}

/** Opens the browser's file chooser. */
export function chooseFiles(call: ChooseCall, done: (files: readonly PickedFile[] | null) => void): void {
  const input = make('input', { attributes: { type: 'file', accept: call.accept }, style: { display: 'none' } })
  input.multiple = call.count > 1
  if (call.camera) input.setAttribute('capture', 'environment')
  input.addEventListener('cancel', () => {
    input.remove()
    done(null)
  })
  input.addEventListener('change', () => {
    input.remove()
    void Promise.all(Array.from(input.files ?? [], readPicked)).then(done)
  })
  document.body.append(input)
  input.click()
}

async function readPicked(file: File): Promise<PickedFile> {
  const bytes = new Uint8Array(await file.arrayBuffer())
  const measured = file.type.startsWith('video/') ? await videoSize(file) : { ...(await imageSize(bytes)), duration: 0 }
  return { name: file.name, type: file.type, bytes, width: 0, height: 0, ...measured }
}

/** The size of a picture, or nothing when it is none. */
export async function imageSize(bytes: Uint8Array): Promise<{ width: number; height: number } | null> {
  try {
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)]))
    return { width: bitmap.width, height: bitmap.height }
  } catch {
    return null
  }
}

/** Measures a video and takes its first picture, as a phone does when one is chosen. */
function videoSize(file: File): Promise<Pick<PickedFile, 'width' | 'height' | 'duration' | 'thumb'>> {
  const video = document.createElement('video')
  video.muted = true
  video.preload = 'auto'
  const address = URL.createObjectURL(file)
  return new Promise((resolve) => {
    const finish = (thumb: Uint8Array | null) => {
      const duration = Number.isFinite(video.duration) ? Math.round(video.duration) : 0
      resolve({ width: video.videoWidth, height: video.videoHeight, duration, thumb })
      URL.revokeObjectURL(address)
    }
    video.onloadeddata = () =>
      void asJpeg(video, { width: video.videoWidth, height: video.videoHeight }, 0.8).then(finish)
    video.onerror = () => finish(null)
    video.src = address
  })
}

/** Draws a picture as a JPEG of this size; null where it cannot be drawn. */
async function asJpeg(
  source: CanvasImageSource,
  size: { readonly width: number; readonly height: number },
  quality: number,
): Promise<Uint8Array | null> {
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, size.width)
  canvas.height = Math.max(1, size.height)
  canvas.getContext('2d')?.drawImage(source, 0, 0, canvas.width, canvas.height)
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', quality))
  return blob ? new Uint8Array(await blob.arrayBuffer()) : null
}

/** Re-encodes a picture as JPEG. */
export async function compressImage(bytes: Uint8Array, quality: number, width: number): Promise<Uint8Array | null> {
  try {
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)]))
    const scale = width > 0 ? Math.min(1, width / bitmap.width) : 1
    const size = { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) }
    return await asJpeg(bitmap, size, quality)
  } catch {
    return null
  }
}
