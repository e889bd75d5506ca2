/** video: the browser's own player with the usual events. */
import type { Behavior, Control, Spec } from './control.ts'

function setup(control: Control): Behavior {
  const video = document.createElement('video')
  video.playsInline = true
  control.element.prepend(video)
  let shown = ''
  for (const name of ['play', 'pause', 'ended', 'waiting'] as const)
    video.addEventListener(name, () => control.emit(name, {}))
  video.addEventListener('timeupdate', () =>
    control.emit('timeupdate', { currentTime: video.currentTime, duration: video.duration }),
  )
  video.addEventListener('loadedmetadata', () =>
    control.emit('loadedmetadata', { width: video.videoWidth, height: video.videoHeight, duration: video.duration }),
  )
  video.addEventListener('error', () => {
    if (shown !== '') control.emit('error', { errMsg: 'MEDIA_ERR_SRC_NOT_SUPPORTED' })
  })
  return {
    update: () => {
      const src = control.text('src')
      video.controls = control.flag('controls')
      video.loop = control.flag('loop')
      video.muted = control.flag('muted')
      video.autoplay = control.flag('autoplay')
      video.style.objectFit = control.text('objectFit') || 'contain'
      video.poster =
        control.text('poster') === '' ? '' : control.services.mediaUrl(control.text('poster'), control.owner)
      if (src === shown) return
      shown = src
      video.src = control.services.mediaUrl(src, control.owner)
    },
  }
}

/** The component of this file. */
export const videoSpecs: Readonly<Record<string, Spec>> = {
  video: {
    properties: {
      src: String,
      controls: { type: Boolean, value: true },
      autoplay: Boolean,
      loop: Boolean,
      muted: Boolean,
      poster: String,
      objectFit: { type: String, value: 'contain' },
      initialTime: Number,
      duration: Number,
      showFullscreenBtn: Boolean,
      showPlayBtn: Boolean,
      showCenterPlayBtn: Boolean,
      enableProgressGesture: Boolean,
      title: String,
    },
    setup,
  },
}
