// The album through supabase-wechat-stable-v2, unmodified.
import { uploadResumable } from '@teahouse/sdk/tus'
import { createClient } from 'supabase-wechat-stable-v2'
import { key, url } from './supabase'

const BUCKET = 'album'
const COLUMNS = 'id,owner,path,cover,kind,size,duration,created_at'

const client = createClient(url, key)
const files = () => client.storage.from(BUCKET)

const dataOf = ({ data, error }) => {
  if (error) throw error
  return data
}

const wechatCode = () =>
  new Promise((resolve, reject) => wx.login({ success: ({ code }) => resolve(code), fail: reject }))

/** Logs in with WeChat, unseen, unless a session is kept. Answers the user's id. */
export const enter = async () => {
  const { session } = dataOf(await client.auth.getSession())
  if (session) return session.user.id
  return dataOf(await client.auth.signInWithWechat({ code: await wechatCode() })).user.id
}

const headers = async () => {
  const { session } = dataOf(await client.auth.getSession())
  return { apikey: key, authorization: `Bearer ${session.access_token}` }
}

/** Everything in the album, newest first. */
export const list = async () =>
  dataOf(await client.from('photos').select(COLUMNS).order('created_at', { ascending: false }).limit(500))

/** A file at once, by path. The client's own `upload` reads it into memory and tells no progress: `wx.uploadFile` does better. */
export const uploadSmall = (path, name, onProgress) => {
  const send = (header) =>
    new Promise((resolve, reject) => {
      const task = wx.uploadFile({
        url: `${url}/storage/v1/object/${BUCKET}/${name}`,
        filePath: path,
        name: 'file',
        header,
        success: ({ statusCode, data }) => (statusCode < 300 ? resolve() : reject(JSON.parse(data))),
        fail: reject,
      })
      task.onProgressUpdate(({ totalBytesSent, totalBytesExpectedToSend }) =>
        onProgress({ loaded: totalBytesSent, total: totalBytesExpectedToSend }),
      )
    })
  return { done: headers().then(send) }
}

/** A file in parts. */
export const uploadLarge = (path, name, { type, onProgress, onState }) =>
  uploadResumable({
    endpoint: `${url}/storage/v1/upload/resumable`,
    file: path,
    metadata: { bucketName: BUCKET, objectName: name, contentType: type, cacheControl: '31536000' },
    headers,
    onProgress,
    onState,
  })

/** Puts a file that was uploaded into the album. */
export const add = async (photo) => dataOf(await client.from('photos').insert(photo).select(COLUMNS).single())

/** Takes one out, and its files with it. */
export const remove = async ({ id, path, cover }) => {
  dataOf(await client.from('photos').delete().eq('id', id))
  await discard([path, cover].filter(Boolean))
}

/** Deletes files that are in no album. */
export const discard = async (names) => dataOf(await files().remove(names))

/** The address of a picture, made to this size by the server. */
export const resized = (name, transform) => files().getPublicUrl(name, { transform }).data.publicUrl

export const original = (name) => files().getPublicUrl(name).data.publicUrl

/** What others do, live: `on.added(row)`, `on.removed(id)`, `on.state(isThere)`. Answers a function that leaves. */
export const watch = (on) => {
  const about = { schema: 'public', table: 'photos' }
  const channel = client
    .channel('album')
    .on('postgres_changes', { event: 'INSERT', ...about }, ({ new: row }) => on.added(row))
    .on('postgres_changes', { event: 'DELETE', ...about }, ({ old }) => on.removed(old.id))
    .subscribe((status) => on.state(status === 'SUBSCRIBED'))
  return () => client.removeChannel(channel)
}
