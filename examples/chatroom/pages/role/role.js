import { randomRole } from '../../lib/roles'
import { language, words } from '../../lib/text'

Page({
  data: { words: {}, role: null },

  onLoad() {
    const text = words()
    wx.setNavigationBarTitle({ title: text.title })
    this.setData({ words: { welcome: text.welcome, another: text.another, enter: text.enter } })
    this.shuffle()
  },

  shuffle() {
    const role = randomRole(language())
    this.setData({ role: { name: role.name, colour: role.colour, initial: role.name.slice(0, 1) } })
  },

  enter() {
    const { name, colour } = this.data.role
    getApp().globalData.role = { name, colour }
    wx.navigateTo({ url: '/pages/room/room' })
  },
})
