/** Listings of a bucket as the caller sees it. */
import { empty, type Fragment, frag, keyword, type Statement, sql } from '../sql/sql.ts'
import { objectJson } from './columns.sql.ts'
import type { Cursor, FolderQuery, PageQuery } from './listing.ts'

/** One level: folders first, then files. The work is in storage.search, which Supabase's scripts know too. */
export const listFolder = (bucketId: string, query: Required<FolderQuery>): Statement => sql('files.list_folder')`
  select json_build_object(
           'name', entry.name,
           'id', entry.id,
           'createdAt', to_char(entry.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'updatedAt', to_char(entry.updated_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'lastAccessedAt', to_char(entry.last_accessed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           'metadata', entry.metadata)::text as json
    from storage.search(
           ${query.prefix},
           ${bucketId},
           ${query.limit}::integer,
           ${query.prefix.split('/').length}::integer,
           ${query.offset}::integer,
           ${query.search},
           ${query.sortColumn},
           ${query.sortOrder}) as entry`

export interface Page extends Omit<PageQuery, 'cursor'> {
  readonly bucketId: string
  readonly after: Cursor | null
}

/** Greater than every name that begins with `text`: no name holds this last code point. */
const beyond = (text: Fragment): Fragment => frag`${text} || chr(1114111)`
/** The least name greater than `text`: no name holds NUL. */
const successor = (text: Fragment): Fragment => frag`${text} || chr(1)`

// Comparing by code point is leakproof and indexed; see 0004_storage.sql.
const NAME = frag`objects.name collate "C"`

const within = ({ bucketId, prefix }: Page): Fragment => frag`
  objects.bucket_id = ${bucketId}
  and ${NAME} >= ${prefix}::text
  and ${NAME} < ${beyond(frag`${prefix}::text`)}`

/** Where the first slash after the prefix is, counted from the prefix; 0 for a file of this level. */
const slashAfter = (name: Fragment, prefix: string): Fragment =>
  frag`strpos(substr(${name}, length(${prefix}::text) + 1), '/')`

const isFolder = (page: Page): Fragment =>
  page.delimiter ? frag`${slashAfter(frag`objects.name`, page.prefix)} > 0` : keyword('false')

/** The object's own name, or the folder of this level that it is in, with its slash. */
const entryName = (page: Page): Fragment =>
  page.delimiter
    ? frag`case
             when ${slashAfter(frag`objects.name`, page.prefix)} > 0
             then left(objects.name, length(${page.prefix}::text) + ${slashAfter(frag`objects.name`, page.prefix)})
             else objects.name
           end`
    : frag`objects.name`

/** Entries in order with, for files, their object. Each has `name`, `folder` and `at`, by which the next page goes on. */
const entriesOf = (name: string, source: Fragment, order: Fragment, page: Page): Statement => sql(name)`
  ${source}
  select json_build_object(
           'name', entry.name,
           'folder', entry.folder,
           'at', entry.at,
           'object', case when objects.id is not null then ${objectJson} end)::text as json
    from entry
    left join storage.objects
      on not entry.folder
     and objects.bucket_id = ${page.bucketId}
     and objects.name = entry.name
   order by ${order}`

/**
 * By name. Reading every object of a folder only to name the folder once is what makes big buckets slow, so each step asks the index for
 * the first name after the last entry, and after a folder that is the first name beyond the folder.
 */
export const pageByName = (page: Page): Statement => {
  const ascending = page.sortOrder === 'asc'
  const direction = keyword(page.sortOrder)
  const nextAfter = (name: Fragment, folder: Fragment): Fragment =>
    ascending
      ? frag`${NAME} >= case when ${folder} then ${beyond(name)} else ${successor(name)} end`
      : frag`${NAME} < ${name}`
  const start =
    page.after === null
      ? empty
      : frag`and ${nextAfter(frag`${page.after.name}::text`, frag`${page.after.folder}::boolean`)}`
  const first = (bound: Fragment): Fragment => frag`
    select ${entryName(page)} as name, ${isFolder(page)} as folder
      from storage.objects
     where ${within(page)} ${bound}
     order by ${NAME} ${direction}
     limit 1`
  const source = frag`
    with recursive entry (name, folder, at, place) as (
      select found.name, found.folder, null::text, 1
        from (${first(start)}) as found
      union all
      select found.name, found.folder, null::text, entry.place + 1
        from entry
        cross join lateral (${first(frag`and ${nextAfter(frag`entry.name`, frag`entry.folder`)}`)}) as found
       where entry.place < ${page.limit}::integer
    )`
  return entriesOf('files.page_by_name', source, frag`entry.place`, page)
}

/** By time. A folder is as old as its newest object when the newest come first, as its oldest otherwise. */
export const pageByTime = (page: Page, column: 'created_at' | 'updated_at'): Statement => {
  const time = keyword(`objects.${column}`)
  const ascending = page.sortOrder === 'asc'
  const direction = keyword(page.sortOrder)
  const nearest = keyword(ascending ? 'min' : 'max')
  const after =
    page.after === null
      ? empty
      : frag`where (dated.moment, dated.name collate "C") ${keyword(ascending ? '>' : '<')} (${page.after.at}::timestamptz, ${page.after.name}::text)`
  const source = frag`
    with dated as (
      select ${entryName(page)} as name, ${isFolder(page)} as folder, ${nearest}(${time}) as moment
        from storage.objects
       where ${within(page)}
       group by 1, 2
    ), entry as (
      select dated.name, dated.folder, dated.moment::text as at, dated.moment
        from dated
       ${after}
       order by dated.moment ${direction}, dated.name collate "C" ${direction}
       limit ${page.limit}::integer
    )`
  return entriesOf(
    'files.page_by_time',
    source,
    frag`entry.moment ${direction}, entry.name collate "C" ${direction}`,
    page,
  )
}
