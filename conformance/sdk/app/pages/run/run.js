const { runAll } = require('../../checks/index')

Page({
  data: { report: '' },
  onLoad({ peer }) {
    if (!peer) return
    runAll(decodeURIComponent(peer)).then((results) => this.setData({ report: JSON.stringify(results) }))
  },
})
