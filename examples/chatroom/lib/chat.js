// The room's data: reading, sending, and what others do live. Pages know nothing of tables and channels.
import { supabase } from './supabase'

const PAGE = 30
const COLUMNS = 'id,username,text,timestamp,bgColor'
const BUCKET = 'images'

/** Throws what the server said, in words. */
const rowsOf = ({ data, error }) => {
  if (error) throw new Error(error.data?.message || error.message || error.errMsg || 'request failed')
  return data
}

/** The newest page, oldest first. */
export const loadLatest = async () => {
  const rows = rowsOf(await supabase.from('messages').select(COLUMNS).order('id', { ascending: false }).limit(PAGE))
  return { messages: rows.reverse(), hasEarlier: rows.length === PAGE }
}

/** The page before message `id`, oldest first. */
export const loadBefore = async (id) => {
  const query = supabase.from('messages').select(COLUMNS).lt('id', id)
  const rows = rowsOf(await query.order('id', { ascending: false }).limit(PAGE))
  return { messages: rows.reverse(), hasEarlier: rows.length === PAGE }
}

/** Everything after message `id`: what was said while this phone was away. */
export const loadAfter = async (id) =>
  rowsOf(await supabase.from('messages').select(COLUMNS).gt('id', id).order('id', { ascending: true }))

/** Stores a message and answers it as the server has it. */
export const say = async (role, text) => {
  const row = { username: role.name, bgColor: role.colour, text }
  const rows = rowsOf(await supabase.from('messages').insert([row]).select(COLUMNS))
  return rows[0]
}

/** Uploads a picture (an item of wx.chooseMedia's tempFiles) and answers its public address. */
export const uploadPicture = async (file) => {
  const extension = /\.(\w+)$/.exec(file.tempFilePath)
  const name = `${Date.now()}-${Math.random().toString(36).slice(2)}.${extension ? extension[1].toLowerCase() : 'jpg'}`
  const { error } = await supabase.storage.from(BUCKET).upload(name, file)
  if (error) throw new Error('upload failed')
  return supabase.storage.from(BUCKET).getPublicUrl(name).data.publicUrl
}

/** Whether a message's text is the address of a picture in the room's bucket. */
export const isPicture = (text) => text.startsWith(supabase.storage.from(BUCKET).getPublicUrl('').data.publicUrl)

/**
 * Joins the room. `on.message(row)` for every new message, `on.people(list)` when somebody comes or goes,
 * `on.state('joined' | 'away')` when the connection does. Answers a function that leaves.
 */
export const join = (role, on) => {
  const channel = supabase.channel('teahouse', { config: { presence: { key: role.name } } })
  channel
    .on('postgres_changes', { event: 'INSERT', schema: 'public', table: 'messages' }, ({ new: row }) => on.message(row))
    .on('presence', { event: 'sync' }, () => {
      const state = channel.presenceState()
      on.people(Object.keys(state).map((name) => ({ name, colour: state[name][0].colour })))
    })
    .subscribe((status) => {
      if (status !== 'SUBSCRIBED') return on.state('away')
      channel.track({ colour: role.colour })
      on.state('joined')
    })
  return () => supabase.removeChannel(channel)
}
