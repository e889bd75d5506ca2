const { wxFile } = require('@teahouse/sdk')
const { createClient, signInWithWechat } = require('@teahouse/sdk/supabase')

/** The official client as an app uses it: login, a row, a channel, a file. */
Page({
  data: { state: '', rows: [], file: '' },
  async onLoad({ url, key }) {
    const client = createClient(decodeURIComponent(url), key)
    try {
      await signInWithWechat(client)
      client
        .channel('page')
        .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'notes' }, (change) =>
          this.setData({ rows: this.data.rows.concat(change.new.text) }),
        )
        .subscribe((state) => this.setData({ state }))
      const path = `${wx.env.USER_DATA_PATH}/page.png`
      wx.getFileSystemManager().writeFileSync(path, new Uint8Array(2000).buffer)
      const sent = await client.storage.from('open').upload('page/page.png', wxFile(path), { upsert: true })
      if (sent.error) throw sent.error
      const got = await client.storage.from('open').download('page/page.png')
      this.setData({ file: `${got.data.size} ${got.data.type}` })
      await client.from('secrets').insert({ text: 'from the page' })
      const { data } = await client
        .from('secrets')
        .update({ text: 'changed' })
        .eq('text', 'from the page')
        .select('text')
      this.setData({ rows: this.data.rows.concat(data.map(({ text }) => `secret ${text}`)) })
    } catch (error) {
      this.setData({ state: String(error?.message ?? error) })
    }
  },
})
