import { isPicture, join, loadAfter, loadBefore, loadLatest, say, uploadPicture } from '../../lib/chat'
import { Conversation } from '../../lib/conversation'
import { randomRole } from '../../lib/roles'
import { language, words } from '../../lib/text'
import { parseTime, timeLabel } from '../../lib/time'

const MOST_FACES = 6

Page({
  data: {
    words: { placeholder: '' },
    faces: [],
    status: '',
    messages: [],
    hint: '',
    ready: false,
    anchor: '',
    draft: '',
  },

  onLoad() {
    this.words = words()
    // A page that is opened directly still gets a role.
    this.role = getApp().globalData.role || randomRole(language())
    this.conversation = new Conversation()
    this.hasEarlier = false
    this.people = []
    const { placeholder, send, failed } = this.words
    this.setData({ words: { placeholder, send, failed }, status: this.words.connecting })
    wx.setNavigationBarTitle({ title: this.words.room })
    this.leave = join(this.role, {
      message: (row) => this.receive([row]),
      people: (people) => this.seat(people),
      state: (state) => this.connection(state),
    })
  },

  onUnload() {
    this.left = true
    this.leave()
  },

  /** Every time the room is entered anew, what was missed is fetched: the live stream only tells what happens from now on. */
  async connection(state) {
    if (this.left) return
    if (state === 'away') return this.setData({ status: this.words.offline })
    this.setData({ status: this.words.online(this.people.length || 1) })
    try {
      if (this.data.ready) return this.receive(await loadAfter(this.conversation.lastId))
      const { messages, hasEarlier } = await loadLatest()
      this.hasEarlier = hasEarlier
      this.conversation.add(messages)
      this.draw({ ready: true, anchor: 'end' })
    } catch (error) {
      console.error(error)
    }
  },

  seat(people) {
    this.people = people
    const faces = people.slice(0, MOST_FACES).map((each) => ({ ...each, initial: each.name.slice(0, 1) }))
    this.setData({ faces, status: this.words.online(people.length) })
  },

  receive(rows) {
    if (rows.length === 0) return
    this.conversation.add(rows)
    this.draw({ anchor: 'end' })
  },

  /** Renders the conversation; `anchor` is where the list should stand afterwards. */
  draw({ anchor, ready = this.data.ready }) {
    const label = { parse: parseTime, format: (date) => timeLabel(date, new Date(), this.words) }
    const messages = this.conversation.view({ me: this.role.name, isPicture, label })
    const hint = this.hasEarlier ? this.words.earlier : messages.length === 0 ? this.words.empty : this.words.beginning
    // The same anchor twice moves nothing, so it is cleared first.
    this.setData({ messages, hint, ready, anchor: '' }, () => this.setData({ anchor }))
  },

  async loadEarlier() {
    if (!this.hasEarlier || this.loading) return
    this.loading = true
    this.setData({ hint: this.words.loading })
    const first = this.conversation.firstId
    try {
      const { messages, hasEarlier } = await loadBefore(first)
      this.hasEarlier = hasEarlier
      this.conversation.add(messages)
    } catch (error) {
      console.error(error)
    }
    this.loading = false
    this.draw({ anchor: `m${first}` })
  },

  type(event) {
    this.setData({ draft: event.detail.value })
  },

  send() {
    const text = this.data.draft.trim()
    if (text === '') return
    this.setData({ draft: '' })
    this.deliver(this.conversation.begin(this.role, text))
  },

  retry(event) {
    const message = this.conversation.outgoing.find((each) => each.key === event.currentTarget.dataset.key)
    if (message) this.deliver(message)
  },

  async deliver(message) {
    message.state = 'sending'
    this.draw({ anchor: 'end' })
    try {
      this.conversation.confirm(message, await say(this.role, message.text))
    } catch (error) {
      console.error(error)
      this.conversation.fail(message)
    }
    this.draw({ anchor: 'end' })
  },

  async choosePicture() {
    let chosen
    try {
      chosen = await wx.chooseMedia({ count: 1, mediaType: ['image'], sizeType: ['compressed'] })
    } catch {
      return
    }
    wx.showLoading({ title: this.words.loading })
    try {
      const address = await uploadPicture(chosen.tempFiles[0])
      this.deliver(this.conversation.begin(this.role, address))
      wx.hideLoading()
    } catch (error) {
      console.error(error)
      wx.hideLoading()
      wx.showToast({ title: this.words.picture, icon: 'none' })
    }
  },

  openPicture(event) {
    const { src } = event.currentTarget.dataset
    const urls = this.data.messages.filter((each) => each.picture).map((each) => each.text)
    wx.previewImage({ current: src, urls })
  },

  /** A picture has its height only once it is loaded; the end of the list moves then. */
  settle() {
    if (this.loading) return
    this.setData({ anchor: '' }, () => wx.nextTick(() => this.setData({ anchor: 'end' })))
  },
})
