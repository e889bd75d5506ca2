import { bindPhone, logIn, logOut, whoAmI } from '../../lib/account'
import { portraitOf } from '../../lib/portrait'
import { maskedPhone, shortened, when } from '../../lib/show'
import { language, words } from '../../lib/text'

// `arriving`, `in`, `out`, or `lost` when the server cannot be reached.
Page({
  data: { state: 'arriving', words: {}, portrait: null, facts: [], phone: '', note: '', busy: false },

  onLoad() {
    this.words = words()
    wx.setNavigationBarTitle({ title: this.words.title })
    this.setData({ words: this.words, note: this.words.arriving })
  },

  /** At launch and at every return: what happened to the session meanwhile shows here. */
  onShow() {
    if (this.data.state !== 'out') this.enter(whoAmI)
  },

  logIn() {
    this.enter(async () => ({ user: await logIn(), how: 'kept' }))
  },

  retry() {
    this.enter(whoAmI)
  },

  /** Runs a way to get in and shows who came. */
  async enter(way) {
    if (this.data.state !== 'in') this.setData({ state: 'arriving', note: this.words.arriving })
    try {
      const { user, how } = await way()
      this.welcome(user, how)
    } catch (error) {
      this.complain(error, 'lost')
    }
  },

  welcome(user, how) {
    const { again, welcome, back } = this.words
    // A first visit: this phone was never here, and the user was made a moment ago.
    const made = Math.abs(new Date(user.last_sign_in_at) - new Date(user.created_at)) < 2000
    const first = made && !wx.getStorageSync('visited')
    wx.setStorageSync('visited', true)
    this.show(user, how === 'again' ? again : first ? welcome : back)
  },

  show(user, note) {
    const now = new Date()
    this.setData({
      state: 'in',
      note,
      portrait: portraitOf(user.id, language()),
      phone: maskedPhone(user.phone),
      facts: [
        { key: 'wechat', label: this.words.wechat, value: shortened(user.wechat_id) },
        { key: 'since', label: this.words.since, value: when(user.created_at, now, this.words) },
        { key: 'last', label: this.words.last, value: when(user.last_sign_in_at, now, this.words) },
      ],
    })
  },

  /** Says what did not work. Somebody who is in stays in. */
  complain(error, state) {
    const note = this.words[error.reason] || this.words.lost
    if (!error.reason) console.error(error)
    if (this.data.state === 'in') wx.showToast({ title: note, icon: 'none' })
    else this.setData({ state, note })
  },

  async bindPhone({ detail }) {
    if (!detail.code) return wx.showToast({ title: this.words.denied, icon: 'none' })
    this.setData({ busy: true })
    try {
      this.show(await bindPhone(detail.code), this.words.bound)
    } catch (error) {
      this.complain(error, 'in')
    }
    this.setData({ busy: false })
  },

  logOut() {
    const { thisDevice, allDevices } = this.words
    wx.showActionSheet({
      itemList: [thisDevice, allDevices],
      success: ({ tapIndex }) => this.leave(tapIndex === 1),
      fail: () => {},
    })
  },

  async leave(everywhere) {
    try {
      await logOut(everywhere)
      this.setData({ state: 'out', facts: [], phone: '', note: everywhere ? this.words.everywhere : this.words.gone })
    } catch (error) {
      this.complain(error, 'in')
    }
  },
})
