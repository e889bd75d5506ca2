/** Every method of the official client's storage API that this server offers, one after another. */
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { createClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type StorageFixture, startStorage } from '../../../../test/storage.ts'

type Options = NonNullable<Parameters<typeof createClient>[2]>
// Node 20 has no WebSocket, and the client insists on one even when nobody connects. ws is close enough to the browser's, but not by type.
const transport = WebSocket as unknown as NonNullable<NonNullable<Options['realtime']>['transport']>

let fixture: StorageFixture
beforeAll(async () => {
  fixture = await startStorage({ fileSizeLimit: 20_000_000 })
  await fixture.db.sql(`
    insert into storage.buckets (id, name, public) values ('private', 'private', false), ('public', 'public', true), ('other', 'other', false);
    insert into storage.buckets (id, name, file_size_limit, allowed_mime_types) values ('pictures', 'pictures', 1000, '{image/*}');
    create policy "users write" on storage.objects for insert to authenticated with check (bucket_id <> 'other');
    create policy "users read" on storage.objects for select to authenticated using (bucket_id <> 'other');
    create policy "users change" on storage.objects for update to authenticated using (bucket_id = 'private');
    create policy "users delete" on storage.objects for delete to authenticated using (bucket_id = 'private');
  `)
})
afterAll(() => fixture.close())

const USER = 'user:11111111-2222-3333-4444-555555555555'
const storageOf = (proof: string) => createClient(fixture.url, proof, { realtime: { transport } }).storage
const user = (bucket: string) => storageOf(USER).from(bucket)
const service = (bucket: string) => storageOf('service_role').from(bucket)
const anon = (bucket: string) => storageOf('anon').from(bucket)

const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')

describe('upload', () => {
  it.each([
    ['a Blob', () => new Blob(['hello'], { type: 'text/plain' }), 'text/plain'],
    ['a File', () => new File(['hello'], 'x.txt', { type: 'text/plain' }), 'text/plain'],
    ['an ArrayBuffer', () => new TextEncoder().encode('hello').buffer, 'text/plain;charset=UTF-8'],
    ['a Buffer', () => Buffer.from('hello'), 'text/plain;charset=UTF-8'],
    ['a string', () => 'hello', 'text/plain;charset=UTF-8'],
    ['a web stream', () => new Blob(['hello']).stream(), 'text/plain;charset=UTF-8'],
    ['a Node stream', () => Readable.from([Buffer.from('hel'), Buffer.from('lo')]), 'text/plain;charset=UTF-8'],
    ['URLSearchParams', () => new URLSearchParams({ hello: '' }), 'text/plain;charset=UTF-8'],
  ])('takes %s', async (name, body, type) => {
    const path = `bodies/${name}.txt`
    const { data, error } = await user('private').upload(path, body())
    expect(error).toBeNull()
    expect(data).toEqual({ id: expect.any(String), path, fullPath: `private/${path}` })
    const info = await user('private').info(path)
    expect(info.data).toMatchObject({ contentType: type, cacheControl: 'max-age=3600' })
    expect(await (await user('private').download(path)).data?.text()).toMatch(/^hello=?$/)
  })

  it('takes a FormData of the caller with fields of its own', async () => {
    const form = new FormData()
    form.append('note', 'ignored')
    form.append('metadata', '{"from":"form"}')
    form.append('document', new Blob(['first'], { type: 'text/markdown' }), 'readme.md')
    form.append('document', new Blob(['second']), 'second.md')
    expect((await user('private').upload('form.md', form, { cacheControl: '5' })).error).toBeNull()
    expect(await (await user('private').download('form.md')).data?.text()).toBe('first')
    expect((await user('private').info('form.md')).data).toMatchObject({
      contentType: 'text/markdown',
      cacheControl: 'max-age=5',
      metadata: { from: 'form' },
    })
  })

  it('keeps megabytes whole, in both ways', async () => {
    const bytes = randomBytes(5_000_000)
    await user('private').upload('big/raw.bin', bytes, { contentType: 'application/octet-stream' })
    await user('private').upload('big/form.bin', new Blob([bytes]))
    for (const path of ['big/raw.bin', 'big/form.bin']) {
      const { data } = await user('private').download(path)
      expect(md5(new Uint8Array(await (data as Blob).arrayBuffer()))).toBe(md5(bytes))
      expect((await user('private').info(path)).data).toMatchObject({ size: 5_000_000, etag: `"${md5(bytes)}"` })
    }
  })

  it('refuses a second object of the name, and replaces it when told to', async () => {
    const path = 'twice.txt'
    await user('private').upload(path, 'one')
    expect((await user('private').upload(path, 'two')).error).toMatchObject({
      status: 400,
      statusCode: '409',
      message: 'The resource already exists',
    })
    expect((await user('private').upload(path, 'three', { upsert: true })).error).toBeNull()
    expect(await (await user('private').download(path)).data?.text()).toBe('three')
    expect((await user('private').update(path, 'four')).error).toBeNull()
    expect(await (await user('private').download(path)).data?.text()).toBe('four')
    expect((await user('public').upload('once.txt', 'a')).error).toBeNull()
    expect((await user('public').upload('once.txt', 'b', { upsert: true })).error).toMatchObject({ statusCode: '403' })
  })

  it('keeps custom metadata of any script', async () => {
    const metadata = { 作者: '老舍', 章: 3, nested: { a: [1, null] } }
    await user('private').upload('meta-form.txt', new Blob(['x']), { metadata })
    await user('private').upload('meta-raw.txt', 'x', { metadata })
    for (const path of ['meta-form.txt', 'meta-raw.txt']) {
      expect((await user('private').info(path)).data?.metadata).toMatchObject({ 作者: '老舍', 章: 3 })
    }
  })

  it('tells what is wrong in the words that clients know', async () => {
    const failure = async (work: Promise<{ error: unknown }>) => (await work).error
    expect(await failure(anon('private').upload('x', 'x'))).toMatchObject({
      status: 400,
      statusCode: '403',
      message: 'new row violates row-level security policy',
    })
    expect(await failure(user('nowhere').upload('x', 'x'))).toMatchObject({
      statusCode: '404',
      message: 'Bucket not found',
    })
    expect(await failure(user('private').upload('a^b', 'x'))).toMatchObject({
      statusCode: '400',
      message: 'Invalid key: a^b',
    })
    expect(await failure(service('pictures').upload('a.png', 'x', { contentType: 'text/html' }))).toMatchObject({
      statusCode: '415',
      message: 'mime type text/html is not supported',
    })
    const large = new Uint8Array(1001)
    for (const body of [large, new Blob([large], { type: 'image/png' })]) {
      expect(await failure(service('pictures').upload('a.png', body, { contentType: 'image/png' }))).toMatchObject({
        statusCode: '413',
        message: 'The object exceeded the maximum allowed size',
      })
    }
    expect(
      await failure(service('pictures').upload('a.png', new Uint8Array(1000), { contentType: 'image/png' })),
    ).toBeNull()
  })
})

describe('reading', () => {
  it('shows public objects to everyone by their address, and private ones to nobody', async () => {
    await user('public').upload('茶 馆/a+b (1).txt', 'open')
    const { data } = anon('public').getPublicUrl('茶 馆/a+b (1).txt')
    expect(await (await fetch(data.publicUrl)).text()).toBe('open')
    const saved = anon('public').getPublicUrl('茶 馆/a+b (1).txt', { download: '下载.txt' })
    const response = await fetch(saved.data.publicUrl)
    expect(response.headers.get('content-disposition')).toBe(
      `attachment; filename="__.txt"; filename*=UTF-8''%E4%B8%8B%E8%BD%BD.txt`,
    )
    await user('private').upload('secret.txt', 'closed')
    const closed = await fetch(anon('private').getPublicUrl('secret.txt').data.publicUrl)
    expect([closed.status, await closed.json()]).toEqual([
      400,
      { statusCode: '404', error: 'Bucket not found', message: 'Bucket not found', code: 'NoSuchBucket' },
    ])
    expect((await anon('private').download('secret.txt')).error).toMatchObject({
      statusCode: '404',
      message: 'Object not found',
    })
    expect((await anon('private').info('secret.txt')).error).toMatchObject({ statusCode: '404' })
    expect((await anon('public').info('茶 馆/a+b (1).txt')).data).toMatchObject({ size: 4 })
  })

  it('streams', async () => {
    await user('private').upload('stream.txt', 'drop by drop')
    const { data } = await user('private').download('stream.txt').asStream()
    expect(data && (await new Response(data).text())).toBe('drop by drop')
  })

  it('lists folders first, then files, sorted, searched and paged', async () => {
    for (const name of ['z.txt', 'a.txt', '10.txt', '9.txt', 'sub/x.txt', 'sub/y.txt', 'Sub2/deep/er.txt', '茶.txt']) {
      await service('other').upload(`list/${name}`, name)
    }
    const names = async (options = {}) =>
      (await service('other').list('list', options)).data?.map(({ name, id }) => (id === null ? `${name}/` : name))
    expect(await names()).toEqual(['Sub2/', 'sub/', '10.txt', '9.txt', 'a.txt', 'z.txt', '茶.txt'])
    expect(await names({ sortBy: { order: 'desc' } })).toEqual([
      'sub/',
      'Sub2/',
      '茶.txt',
      'z.txt',
      'a.txt',
      '9.txt',
      '10.txt',
    ])
    expect(await names({ sortBy: { column: 'created_at', order: 'desc' } })).toEqual([
      'sub/',
      'Sub2/',
      '茶.txt',
      '9.txt',
      '10.txt',
      'a.txt',
      'z.txt',
    ])
    expect(await names({ limit: 3, offset: 1 })).toEqual(['sub/', '10.txt', '9.txt'])
    expect(await names({ search: 'SUB' })).toEqual(['Sub2/', 'sub/'])
    expect(await names({ search: '%' })).toEqual([])
    expect((await service('other').list('list/sub/')).data?.map(({ name }) => name)).toEqual(['x.txt', 'y.txt'])
    expect((await service('other').list('lis')).data).toEqual([])
    expect((await user('other').list('list')).data).toEqual([])
  })

  it('pages through a bucket by cursor, every entry once, in both orders', async () => {
    await fixture.db.sql(`
      insert into storage.buckets (id, name) values ('pages', 'pages');
      insert into storage.objects (bucket_id, name, created_at)
      select 'pages', 'root/' || case i % 4 when 0 then 'file-' || i when 1 then 'dir-' || i % 7 || '/f' || i else 'dir-a/x/' || i end,
             '2026-01-01'::timestamptz + ((i * 37) % 50) * interval '1 minute'
        from generate_series(1, 60) as i;
      insert into storage.objects (bucket_id, name) values ('pages', 'rooted'), ('pages', 'roo'), ('pages', 'root/dir-a'), ('pages', 'root/dir-a0');
    `)
    const pagesOf = async (options: object) => {
      const folders: string[] = []
      const objects: string[] = []
      let cursor: string | undefined
      do {
        const { data, error } = await service('pages').listV2({
          prefix: 'root/',
          limit: 7,
          ...options,
          ...(cursor && { cursor }),
        })
        if (data === null) throw error
        expect(data.folders.length + data.objects.length).toBeLessThanOrEqual(7)
        folders.push(...data.folders.map(({ name }) => name))
        objects.push(...data.objects.map(({ name }) => name))
        cursor = data.nextCursor
        expect(data.hasNext).toBe(cursor !== undefined)
      } while (cursor !== undefined)
      return { folders, objects }
    }
    const all = (
      await fixture.db.owner.many<{ name: string }>({
        name: 'test',
        text: `select name from storage.objects where bucket_id = 'pages' and name like 'root/%' order by name collate "C"`,
        values: [],
      })
    ).map(({ name }) => name)
    const inRoot = all.filter((name) => name.split('/').length === 2)
    const folders = [
      ...new Set(all.filter((name) => name.split('/').length > 2).map((name) => `root/${name.split('/')[1]}/`)),
    ]
    expect(await pagesOf({})).toEqual({ folders: [], objects: all })
    expect(await pagesOf({ sortBy: { column: 'name', order: 'desc' } })).toEqual({
      folders: [],
      objects: all.toReversed(),
    })
    const byName = await pagesOf({ with_delimiter: true })
    expect(byName).toEqual({ folders, objects: inRoot })
    expect(await pagesOf({ with_delimiter: true, sortBy: { column: 'name', order: 'desc' } })).toEqual({
      folders: folders.toReversed(),
      objects: inRoot.toReversed(),
    })
    for (const order of ['asc', 'desc'] as const) {
      const byTime = await pagesOf({ with_delimiter: true, sortBy: { column: 'created_at', order } })
      expect(byTime.folders.toSorted()).toEqual(folders.toSorted())
      expect(byTime.objects.toSorted()).toEqual(inRoot.toSorted())
      const flat = await pagesOf({ sortBy: { column: 'created_at', order } })
      expect(flat.objects.toSorted()).toEqual(all.toSorted())
    }
  })
})

describe('moving about', () => {
  it('moves and copies, also between buckets', async () => {
    await service('private').upload('m/from.txt', 'cargo', { metadata: { k: 'v' } })
    expect(await user('private').move('m/from.txt', 'm/to.txt')).toMatchObject({
      data: { message: 'Successfully moved' },
      error: null,
    })
    expect((await user('private').exists('m/from.txt')).data).toBe(false)
    expect((await user('private').copy('m/to.txt', 'm/copy.txt')).data).toEqual({ path: 'private/m/copy.txt' })
    expect(await (await user('private').download('m/copy.txt')).data?.text()).toBe('cargo')
    expect((await user('private').info('m/copy.txt')).data?.metadata).toEqual({ k: 'v' })
    expect((await service('private').move('m/to.txt', 'm/to.txt', { destinationBucket: 'other' })).error).toBeNull()
    expect(await (await service('other').download('m/to.txt')).data?.text()).toBe('cargo')
    expect((await service('other').copy('m/to.txt', 'back.txt', { destinationBucket: 'public' })).data).toEqual({
      path: 'public/back.txt',
    })
    expect(await (await fetch(anon('public').getPublicUrl('back.txt').data.publicUrl)).text()).toBe('cargo')
    // The copy outlives what it was made from.
    await service('other').remove(['m/to.txt'])
    await fixture.files.collector.drain()
    expect(await (await service('public').download('back.txt')).data?.text()).toBe('cargo')
  })

  it('keeps to the limits and the objects of the target', async () => {
    await service('private').upload('limit/a.txt', 'x')
    await service('private').upload('limit/b.txt', 'y')
    const statusOf = async (work: Promise<{ error: unknown }>) => (await work).error
    expect(await statusOf(service('private').move('limit/a.txt', 'limit/b.txt'))).toMatchObject({ statusCode: '409' })
    expect(await statusOf(service('private').copy('limit/a.txt', 'limit/b.txt'))).toMatchObject({ statusCode: '409' })
    expect(await statusOf(service('private').move('limit/none.txt', 'limit/c.txt'))).toMatchObject({
      statusCode: '404',
    })
    expect(
      await statusOf(service('private').copy('limit/a.txt', 'a.txt', { destinationBucket: 'pictures' })),
    ).toMatchObject({ statusCode: '415' })
    expect(
      await statusOf(service('private').move('limit/a.txt', 'a.txt', { destinationBucket: 'nowhere' })),
    ).toMatchObject({ statusCode: '404' })
    expect(await statusOf(user('private').copy('limit/a.txt', 'a.txt', { destinationBucket: 'other' }))).toMatchObject({
      statusCode: '403',
    })
    expect(await statusOf(service('private').move('limit/a.txt', '../a.txt'))).toMatchObject({
      message: 'Invalid key: ../a.txt',
    })
  })
})

describe('signed URLs', () => {
  it('open one object to whoever has the link', async () => {
    const path = '签名/链 接.txt'
    await user('private').upload(path, 'signed')
    const { data } = await user('private').createSignedUrl(path, 60, { download: '名.txt' })
    const response = await fetch(data?.signedUrl ?? '')
    expect(await response.text()).toBe('signed')
    expect(response.headers.get('content-disposition')).toContain(`filename*=UTF-8''%E5%90%8D.txt`)
    expect((await fetch(data?.signedUrl ?? '', { method: 'HEAD' })).headers.get('content-length')).toBe('6')
    expect((await fetch(data?.signedUrl ?? '', { headers: { range: 'bytes=1-2' } })).status).toBe(206)
    const elsewhere = await fetch((data?.signedUrl ?? '').replace(encodeURI('链 接'), 'other'))
    expect([elsewhere.status, await elsewhere.json()]).toMatchObject([400, { error: 'InvalidJWT' }])
    expect((await anon('private').createSignedUrl(path, 60)).error).toMatchObject({ statusCode: '404' })
    expect((await user('private').createSignedUrl(path, 0)).error).toMatchObject({ statusCode: '400' })
  })

  it('come many at once, with an error for each that does not exist', async () => {
    await user('private').upload('many/1.txt', '1')
    const { data } = await user('private').createSignedUrls(['many/1.txt', 'many/2.txt', 'a\0b'], 60)
    expect(data?.map(({ error, path, signedUrl }) => [error === null, path, signedUrl === null])).toEqual([
      [true, 'many/1.txt', false],
      [false, 'many/2.txt', true],
      [false, 'a\0b', true],
    ])
    expect(await (await fetch(data?.[0]?.signedUrl ?? '')).text()).toBe('1')
  })

  it('permit one upload, by whoever has the token, in the name of who asked for it', async () => {
    const path = 'granted/文.txt'
    const { data } = await user('private').createSignedUploadUrl(path)
    expect(data).toEqual({
      signedUrl: expect.stringContaining('/object/upload/sign/private/'),
      path,
      token: expect.any(String),
    })
    const uploaded = await anon('private').uploadToSignedUrl(
      path,
      data?.token ?? '',
      new Blob(['granted'], { type: 'text/css' }),
    )
    expect(uploaded.data).toEqual({ path, fullPath: `private/${path}` })
    expect(
      await fixture.db.owner.maybeOne({
        name: 't',
        text: 'select owner_id from storage.objects where name = $1',
        values: [path],
      }),
    ).toEqual({
      owner_id: USER.slice(5),
    })
    expect((await anon('private').uploadToSignedUrl(path, data?.token ?? '', 'again')).error).toMatchObject({
      statusCode: '409',
    })
    expect((await anon('private').uploadToSignedUrl('granted/other.txt', data?.token ?? '', 'x')).error).toMatchObject({
      statusCode: '400',
    })
    expect((await anon('private').createSignedUploadUrl('granted/x.txt')).error).toMatchObject({ statusCode: '403' })
    const upsert = await user('private').createSignedUploadUrl(path, { upsert: true })
    expect((await anon('private').uploadToSignedUrl(path, upsert.data?.token ?? '', 'again')).error).toBeNull()
    expect(await (await user('private').download(path)).data?.text()).toBe('again')
  })
})

describe('removing', () => {
  it('answers what was removed, and nothing for what was not there or not allowed', async () => {
    await user('private').upload('r/1.txt', '1')
    await user('public').upload('r/2.txt', '2')
    expect((await user('private').remove(['r/1.txt', 'r/none.txt', '../x'])).data?.map(({ name }) => name)).toEqual([
      'r/1.txt',
    ])
    expect((await user('private').remove([])).data).toEqual([])
    expect((await user('public').remove(['r/2.txt'])).data).toEqual([])
    expect((await service('public').exists('r/2.txt')).data).toBe(true)
  })
})

describe('buckets', () => {
  it('are made, described, changed, listed, emptied and removed', async () => {
    const storage = storageOf('service_role')
    expect(
      (await storage.createBucket('made', { public: true, fileSizeLimit: '1MB', allowedMimeTypes: ['image/png'] }))
        .error,
    ).toBeNull()
    expect((await storage.createBucket('made', { public: true })).error).toMatchObject({ statusCode: '409' })
    expect((await storage.getBucket('made')).data).toEqual({
      id: 'made',
      name: 'made',
      owner: '',
      public: true,
      type: 'STANDARD',
      file_size_limit: 1_000_000,
      allowed_mime_types: ['image/png'],
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updated_at: expect.any(String),
    })
    expect(
      (await storage.updateBucket('made', { public: false, fileSizeLimit: null, allowedMimeTypes: null })).data,
    ).toEqual({
      message: 'Successfully updated',
    })
    expect((await storage.getBucket('made')).data).toMatchObject({
      public: false,
      file_size_limit: null,
      allowed_mime_types: null,
    })
    const listed = await storage.listBuckets({ search: 'MAD', limit: 5, sortColumn: 'created_at', sortOrder: 'desc' })
    expect(listed.data?.map(({ id }) => id)).toEqual(['made'])
    await storage.from('made').upload('a', 'x')
    expect((await storage.deleteBucket('made')).error).toMatchObject({
      message: 'The bucket you tried to delete is not empty',
    })
    expect((await storage.emptyBucket('made')).error).toBeNull()
    expect((await storage.deleteBucket('made')).error).toBeNull()
    expect((await storage.createBucket('a/b', { public: true })).error).toMatchObject({
      message: 'Bucket name invalid',
    })
    expect((await storage.createBucket('huge', { public: true, fileSizeLimit: '1GB' })).error).toMatchObject({
      statusCode: '413',
    })
    expect((await storageOf('anon').createBucket('x', { public: true })).error).toMatchObject({ statusCode: '403' })
    expect((await storageOf('anon').listBuckets()).data).toEqual([])
  })
})

describe('the cache of others', () => {
  it('may be purged by the service key', async () => {
    expect((await service('public').purgeCache('once.txt')).data).toEqual({ message: 'success' })
    expect((await anon('public').purgeCache('once.txt')).error).toMatchObject({ statusCode: '403' })
  })
})
