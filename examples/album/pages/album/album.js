import { Album } from '../../lib/album'
import { backend } from '../../lib/backend'
import { bytes, length } from '../../lib/show'
import { words } from '../../lib/text'
import { Uploads } from '../../lib/uploads'

/** How many uploads are shown; the others are a number. */
const SHOWN = 4

// `arriving`, `in`, or `lost` when the server cannot be reached.
Page({
  data: { state: 'arriving', words: {}, summary: '', notice: '', days: [], uploads: [], more: '', isEmpty: false },

  onLoad() {
    this.words = words()
    this.album = new Album()
    this.isOnline = true
    this.isThere = true
    wx.setNavigationBarTitle({ title: this.words.title })
    const { add, uploading, empty, invite, retry } = this.words
    this.setData({ words: { add, uploading, empty, invite, retry }, summary: this.words.arriving })
    this.networkChanged = ({ isConnected }) => {
      this.isOnline = isConnected
      this.note()
      if (isConnected && this.data.state === 'lost') this.enter()
    }
    wx.onNetworkStatusChange(this.networkChanged)
    this.enter()
  },

  onUnload() {
    wx.offNetworkStatusChange(this.networkChanged)
    if (this.uploads) this.uploads.leave()
    if (this.leave) this.leave()
  },

  async enter() {
    this.setData({ state: 'arriving' })
    try {
      this.userId = await backend.enter()
      this.uploads =
        this.uploads ||
        new Uploads(this.userId, { change: (items) => this.showUploads(items), added: (row) => this.added([row]) })
      this.album.replace(await backend.list())
      this.setData({ state: 'in' })
      this.draw()
      this.leave = this.leave || this.watch()
    } catch (error) {
      console.error(error)
      this.setData({ state: 'lost', summary: this.words.lost })
    }
  },

  /** The live stream tells what happens from now on: whenever it begins anew, what was missed is fetched. */
  watch() {
    return backend.watch({
      added: (row) => this.added([row]),
      removed: (id) => {
        this.album.remove(id)
        this.draw()
      },
      state: async (isThere) => {
        this.isThere = isThere
        this.note()
        if (!isThere) return
        try {
          this.album.replace(await backend.list())
          this.draw()
        } catch (error) {
          console.error(error)
        }
      },
    })
  },

  added(rows) {
    this.album.add(rows)
    this.draw()
  },

  note() {
    const { offline, away } = this.words
    this.setData({ notice: !this.isOnline ? offline : !this.isThere ? away : '' })
  },

  draw() {
    const [photos, videos] = [this.album.count('image'), this.album.count('video')]
    const parts = [photos > 0 && this.words.photos(photos), videos > 0 && this.words.videos(videos)].filter(Boolean)
    this.setData({
      summary: parts.join(' · '),
      days: this.album.days(new Date(), this.words),
      isEmpty: this.album.rows.length === 0,
    })
  },

  showUploads(items) {
    const uploads = items.slice(0, SHOWN).map((item) => ({
      key: item.key,
      kind: item.kind,
      thumb: item.thumb,
      state: item.state,
      canPause: item.large && (item.state === 'sending' || item.state === 'waiting' || item.state === 'paused'),
      percent: item.size > 0 ? Math.floor((item.loaded / item.size) * 100) : 0,
      title:
        item.kind === 'video'
          ? `${this.words.video} ${item.duration > 0 ? length(item.duration) : ''}`
          : this.words.photo,
      progress: `${bytes(item.loaded)} / ${bytes(item.size)}`,
      status: item.state === 'sending' && item.loaded >= item.size ? this.words.finishing : this.words[item.state],
    }))
    this.setData({ uploads, more: items.length > SHOWN ? this.words.more(items.length - SHOWN) : '' })
  },

  async choose() {
    let chosen
    try {
      chosen = await wx.chooseMedia({
        count: 9,
        mediaType: ['image', 'video'],
        sizeType: ['compressed'],
        maxDuration: 60,
      })
    } catch {
      return
    }
    this.uploads.add(chosen.tempFiles)
  },

  pauseOrResume({ currentTarget }) {
    this.uploads.pauseOrResume(currentTarget.dataset.key)
  },

  cancel({ currentTarget }) {
    this.uploads.cancel(currentTarget.dataset.key)
  },

  retryOne({ currentTarget }) {
    this.uploads.retry(currentTarget.dataset.key)
  },

  open({ currentTarget }) {
    const photo = this.album.find(currentTarget.dataset.id)
    wx.navigateTo({
      url: '/pages/photo/photo',
      success: ({ eventChannel }) => eventChannel.emit('photo', { photo, isMine: photo.owner === this.userId }),
      events: {
        removed: ({ id }) => {
          this.album.remove(id)
          this.draw()
        },
      },
    })
  },
})
