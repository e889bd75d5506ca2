// What is on its way into the album: two files at a time, each with its progress, picked up again when the network or the app is back.
import { backend } from './backend'

/** From here on a file goes in parts. */
const LARGE = 4 * 1024 * 1024
const AT_ONCE = 2
/** How often the page draws progress, milliseconds. */
const PACE = 100

const TYPES = { jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png', gif: 'image/gif', webp: 'image/webp' }
const VIDEO_TYPES = { mp4: 'video/mp4', mov: 'video/quicktime', webm: 'video/webm' }

/** Choosers tell a path and hardly ever a type. */
const typeOf = ({ path, kind }) => {
  const extension = (/\.(\w+)$/.exec(path) || ['', ''])[1].toLowerCase()
  const known = kind === 'video' ? VIDEO_TYPES : TYPES
  const fallback = kind === 'video' ? 'mp4' : 'jpg'
  return known[extension] ? { extension, type: known[extension] } : { extension: fallback, type: known[fallback] }
}

const randomName = () => Math.random().toString(36).slice(2, 12) + Math.random().toString(36).slice(2, 12)

/** Names are random: when the server has one already, an earlier try got through and only its answer was lost. */
const ignoreRepeated = (error) => {
  const { code, statusCode, status } = error.data || error
  if (code !== '23505' && String(statusCode || status) !== '409') throw error
}

export class Uploads {
  /** `on.change(items)` when something is to be drawn, `on.added(row)` when one is in the album. */
  constructor(userId, on) {
    this.userId = userId
    this.on = on
    this.items = []
    this.counter = 0
    this.timer = null
    this.goOn = ({ isConnected }) => isConnected !== false && this.retry()
    wx.onAppShow(this.goOn)
    wx.onNetworkStatusChange(this.goOn)
  }

  leave() {
    wx.offAppShow(this.goOn)
    wx.offNetworkStatusChange(this.goOn)
  }

  /** Takes files as wx.chooseMedia answers them. */
  add(files) {
    for (const file of files) {
      this.counter += 1
      const kind = file.fileType === 'video' ? 'video' : 'image'
      this.items.push({
        key: `up${this.counter}`,
        path: file.tempFilePath,
        kind,
        thumb: kind === 'video' ? file.thumbTempFilePath || '' : file.tempFilePath,
        size: file.size,
        duration: Math.round(file.duration || 0),
        loaded: 0,
        state: 'queued',
        large: file.size >= LARGE,
        name: `${this.userId}/${randomName()}`,
        handle: null,
        stored: [],
      })
    }
    this.next()
  }

  pauseOrResume(key) {
    const item = this.items.find((each) => each.key === key)
    if (!item?.handle?.pause) return
    if (item.state === 'paused') item.handle.resume()
    else item.handle.pause()
  }

  cancel(key) {
    const item = this.items.find((each) => each.key === key)
    if (!item) return
    item.cancelled = true
    if (item.handle?.cancel) item.handle.cancel()
    this.drop(item)
    this.next()
  }

  /** Tries again what failed: one of them, or all. */
  retry(key) {
    for (const item of this.items) if (item.state === 'failed' && (!key || item.key === key)) item.state = 'queued'
    this.next()
  }

  drop(item) {
    this.items = this.items.filter((each) => each !== item)
    this.draw()
  }

  next() {
    const busy = () => this.items.filter((each) => each.running).length
    for (const item of this.items) if (item.state === 'queued' && busy() < AT_ONCE) this.run(item)
    this.draw()
  }

  async run(item) {
    item.running = true
    item.state = 'sending'
    try {
      const photo = await this.send(item)
      if (item.cancelled) return await backend.discard(item.stored)
      const row = await backend.add(photo).catch(ignoreRepeated)
      if (row) this.on.added(row)
      this.drop(item)
    } catch (error) {
      item.state = 'failed'
      if (!item.cancelled) console.error(error)
      else if (item.stored.length > 0) backend.discard(item.stored).catch(() => {})
    } finally {
      item.running = false
      item.handle = null
      this.next()
    }
  }

  /** The bytes; answers what goes into the table. */
  async send(item) {
    const { extension, type } = typeOf(item)
    const path = `${item.name}.${extension}`
    const cover = item.kind === 'video' && item.thumb ? `${item.name}.cover.jpg` : null
    if (cover) {
      await backend.uploadSmall(item.thumb, cover, () => {}).done.catch(ignoreRepeated)
      item.stored.push(cover)
    }
    const onProgress = ({ loaded, total }) => {
      // A form is a little larger than its file.
      item.loaded = Math.min(item.size, Math.round((loaded / total) * item.size))
      this.draw()
    }
    const onState = (state) => {
      item.state = { waiting: 'waiting', paused: 'paused', uploading: 'sending' }[state] || item.state
      this.draw()
    }
    item.handle = item.large
      ? backend.uploadLarge(item.path, path, { type, onProgress, onState })
      : backend.uploadSmall(item.path, path, onProgress)
    await item.handle.done.catch(ignoreRepeated)
    item.stored.push(path)
    return { path, cover, kind: item.kind, size: item.size, duration: item.duration }
  }

  /** Tells the page, not more often than it can draw. */
  draw() {
    if (this.timer) return
    this.timer = setTimeout(() => {
      this.timer = null
      this.on.change(this.items)
    }, PACE)
  }
}
