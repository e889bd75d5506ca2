// The role that this person plays, kept while the app lives.
App({
  globalData: { role: null },
})
