import { backend } from '../../lib/backend'
import { portraitOf } from '../../lib/portrait'
import { bytes, clock, dayLabel } from '../../lib/show'
import { language, words } from '../../lib/text'

Page({
  data: { photo: null, src: '', poster: '', owner: null, when: '', size: '', isMine: false, words: {}, busy: false },

  onLoad() {
    this.words = words()
    this.channel = this.getOpenerEventChannel()
    this.channel.on('photo', ({ photo, isMine }) => this.show(photo, isMine))
    const { remove, mine } = this.words
    this.setData({ words: { remove, mine } })
  },

  show(photo, isMine) {
    const taken = new Date(photo.created_at)
    // A screen's width is enough; the original may have a hundred times the bytes.
    const large = { width: 1080, resize: 'contain', quality: 80 }
    this.setData({
      photo,
      isMine,
      src: photo.kind === 'video' ? backend.original(photo.path) : backend.resized(photo.path, large),
      poster: photo.cover ? backend.resized(photo.cover, large) : '',
      owner: portraitOf(photo.owner, language()),
      when: `${dayLabel(taken, new Date(), this.words)} ${clock(taken)}`,
      size: bytes(photo.size),
    })
  },

  askToRemove() {
    const { sure, sureText, remove, cancel } = this.words
    wx.showModal({
      title: sure,
      content: sureText,
      // Four characters at most in Chinese; longer words are cut by older versions.
      confirmText: remove,
      cancelText: cancel,
      confirmColor: '#b9503a',
      success: ({ confirm }) => confirm && this.remove(),
    })
  },

  async remove() {
    this.setData({ busy: true })
    try {
      await backend.remove(this.data.photo)
      this.channel.emit('removed', { id: this.data.photo.id })
      wx.navigateBack()
    } catch (error) {
      console.error(error)
      this.setData({ busy: false })
      wx.showToast({ title: this.words.notRemoved, icon: 'none' })
    }
  },
})
