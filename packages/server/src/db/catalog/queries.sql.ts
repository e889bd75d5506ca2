/** The statements that read the system catalogues: one per kind of object, each answering one JSON array. Names are qualified: the caller's search path must not matter. */
import { sql } from '../../sql/sql.ts'

// Schemas of the server itself never matter to anyone above this folder.
// `pg\_%` would also match a user's schema named pg_x, which Postgres refuses to create.

export const serverFacts = sql('catalog.server')`
  select pg_catalog.json_build_object(
    'version', pg_catalog.current_setting('server_version_num')::int,
    'announces', exists (
      select 1
        from pg_catalog.pg_event_trigger t
        join pg_catalog.pg_proc p on p.oid = t.evtfoid
       where t.evtenabled <> 'D'
         and t.evtevent = 'ddl_command_end'
         and p.prosrc like '%teahouse_ddl%'))`

export const schemas = sql('catalog.schemas')`
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', n.nspname,
      'description', pg_catalog.obj_description(n.oid, 'pg_namespace'))), '[]')
    from pg_catalog.pg_namespace n
   where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`

export const types = sql('catalog.types')`
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
      t.oid::bigint,
      n.nspname,
      t.typname,
      pg_catalog.format_type(t.oid, null),
      t.typtype,
      t.typcategory,
      t.typbasetype::bigint,
      case when t.typcategory = 'A' then t.typelem::bigint else 0 end,
      (select pg_catalog.json_agg(e.enumlabel order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid))), '[]')
    from pg_catalog.pg_type t
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
   where n.nspname !~ '^pg_(toast|temp)' and n.nspname <> 'information_schema'
     and (n.nspname <> 'pg_catalog' or t.typrelid = 0)`

export const relations = sql('catalog.relations')`
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'oid', c.oid::bigint,
      'schema', n.nspname,
      'name', c.relname,
      'kind', c.relkind,
      'owner', pg_catalog.pg_get_userbyid(c.relowner),
      'description', pg_catalog.obj_description(c.oid, 'pg_class'),
      'rls', c.relrowsecurity,
      'forceRls', c.relforcerowsecurity,
      'identity', c.relreplident,
      'events', case when c.relkind in ('m', 'c') then 0 else pg_catalog.pg_relation_is_updatable(c.oid, true) end,
      'partition', c.relispartition,
      'rowType', c.reltype::bigint,
      'rows', c.reltuples::float8,
      'parents', (select pg_catalog.json_agg(i.inhparent::bigint) from pg_catalog.pg_inherits i where i.inhrelid = c.oid),
      'grants', (
        select pg_catalog.json_agg(pg_catalog.json_build_array(
            case when g.grantee = 0 then 'public' else pg_catalog.pg_get_userbyid(g.grantee) end, g.privilege_type))
          from pg_catalog.aclexplode(coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner))) g
         where c.relkind <> 'c'),
      'columns', columns.list)), '[]')
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    left join lateral (
      select pg_catalog.json_agg(pg_catalog.json_build_array(
          a.attname,
          a.attnum,
          a.atttypid::bigint,
          pg_catalog.format_type(a.atttypid, a.atttypmod),
          a.attnotnull or t.typnotnull,
          coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), t.typdefault),
          a.attgenerated,
          a.attidentity,
          a.atttypmod,
          pg_catalog.col_description(c.oid, a.attnum),
          case when a.attcollation <> 0 then (select l.collname from pg_catalog.pg_collation l where l.oid = a.attcollation) end,
          case when a.attacl is not null then (
            select pg_catalog.json_agg(pg_catalog.json_build_array(
                case when g.grantee = 0 then 'public' else pg_catalog.pg_get_userbyid(g.grantee) end, g.privilege_type))
              from pg_catalog.aclexplode(a.attacl) g) end) order by a.attnum) as list
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_type t on t.oid = a.atttypid
        left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) columns on true
   where c.relkind in ('r', 'v', 'm', 'f', 'p', 'c')
     and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`

export const constraints = sql('catalog.constraints')`
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
      k.conname, k.contype, k.conrelid::bigint, k.conkey, k.confrelid::bigint, k.confkey, k.confdeltype)
      order by k.conrelid, k.conname), '[]')
    from pg_catalog.pg_constraint k
    join pg_catalog.pg_namespace n on n.oid = k.connamespace
   where k.contype in ('p', 'u', 'f')
     -- the copies that partitions get of a parent's foreign key would make every embed ambiguous
     and (k.contype <> 'f' or k.conparentid = 0)
     and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`

export const uniqueIndexes = sql('catalog.unique_indexes')`
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
      c.relname, i.indrelid::bigint, i.indisprimary, i.indisreplident,
      (select pg_catalog.json_agg(key.attnum order by key.position)
         from pg_catalog.unnest(i.indkey::int2[]) with ordinality key(attnum, position)
        where key.position <= i.indnkeyatts))
      order by i.indrelid, c.relname), '[]')
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
     and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`

export const viewRules = sql('catalog.view_rules')`
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(c.oid::bigint, r.ev_action::text)), '[]')
    from pg_catalog.pg_rewrite r
    join pg_catalog.pg_class c on c.oid = r.ev_class
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('v', 'm') and r.rulename = '_RETURN'
     and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`

export const functions = sql('catalog.functions')`
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'oid', p.oid::bigint,
      'schema', n.nspname,
      'name', p.proname,
      'kind', p.prokind,
      'description', pg_catalog.obj_description(p.oid, 'pg_proc'),
      'names', p.proargnames,
      'modes', p.proargmodes,
      'types', (select pg_catalog.json_agg(x.t::bigint order by x.i) from pg_catalog.unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality x(t, i)),
      'defaults', p.pronargdefaults,
      'variadic', p.provariadic <> 0,
      'returns', p.prorettype::bigint,
      'set', p.proretset,
      'rows', p.prorows,
      'volatility', p.provolatile,
      'definer', p.prosecdef,
      'config', p.proconfig)
      order by n.nspname, p.proname, p.oid), '[]')
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
   where p.prokind in ('f', 'a')
     and p.prorettype not in ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
     and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`

export const dataCasts = sql('catalog.data_casts')`
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
      c.castsource::bigint, pg_catalog.format_type(c.castsource, null),
      c.casttarget::bigint, pg_catalog.format_type(c.casttarget, null), n.nspname, p.proname)), '[]')
    from pg_catalog.pg_cast c
    join pg_catalog.pg_type source on source.oid = c.castsource
    join pg_catalog.pg_type target on target.oid = c.casttarget
    join pg_catalog.pg_proc p on p.oid = c.castfunc
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
   where c.castcontext = 'i' and c.castmethod = 'f'
     and (
       (source.typtype = 'd' and c.casttarget in ('pg_catalog.json'::pg_catalog.regtype, 'pg_catalog.text'::pg_catalog.regtype))
       or (target.typtype = 'd' and c.castsource in ('pg_catalog.json'::pg_catalog.regtype, 'pg_catalog.text'::pg_catalog.regtype)))`

export const policies = sql('catalog.policies')`
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
      p.polrelid::bigint, p.polname, p.polcmd, p.polpermissive,
      (select pg_catalog.json_agg(case when r = 0 then 'public' else pg_catalog.pg_get_userbyid(r) end) from pg_catalog.unnest(p.polroles) r),
      pg_catalog.pg_get_expr(p.polqual, p.polrelid),
      pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) order by p.polrelid, p.polname), '[]')
    from pg_catalog.pg_policy p`

export const publications = sql('catalog.publications')`
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', p.pubname, 'all', p.puballtables, 'insert', p.pubinsert, 'update', p.pubupdate, 'delete', p.pubdelete,
      'truncate', p.pubtruncate, 'viaRoot', p.pubviaroot,
      'schemas', (
        select pg_catalog.json_agg(n.nspname)
          from pg_catalog.pg_publication_namespace s join pg_catalog.pg_namespace n on n.oid = s.pnnspid
         where s.pnpubid = p.oid),
      'tables', (
        select pg_catalog.json_agg(pg_catalog.json_build_array(r.prrelid::bigint, r.prattrs::int2[], pg_catalog.pg_get_expr(r.prqual, r.prrelid)))
          from pg_catalog.pg_publication_rel r
         where r.prpubid = p.oid))), '[]')
    from pg_catalog.pg_publication p`

export const roles = sql('catalog.roles')`
  select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(
      r.rolname, r.rolsuper, r.rolbypassrls, r.rolcanlogin,
      (select pg_catalog.json_agg(pg_catalog.pg_get_userbyid(m.roleid)) from pg_catalog.pg_auth_members m where m.member = r.oid),
      (select pg_catalog.json_agg(entry.pair order by s.setdatabase, entry.position)
         from pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) with ordinality entry(pair, position)
        where s.setrole = r.oid
          -- only what any session may set: the rest is not ours to repeat
          and (pg_catalog.strpos(pg_catalog.split_part(entry.pair, '=', 1), '.') > 0
            or exists (select 1 from pg_catalog.pg_settings g where g.name = pg_catalog.split_part(entry.pair, '=', 1) and g.context = 'user'))
          and s.setdatabase in (0, (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()))))), '[]')
    from pg_catalog.pg_roles r
   where r.rolname !~ '^pg_'`

export const databaseSettings = sql('catalog.database_settings')`
  select coalesce(pg_catalog.json_agg(setting), '[]')
    from pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) setting
   where s.setrole = 0
     and s.setdatabase = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())`

/** A number that changes with every change of the schema: cheap enough to ask once a second where no event trigger tells. */
export const fingerprint = sql('catalog.fingerprint')`
  select pg_catalog.concat_ws('.',
    (select pg_catalog.sum(pg_catalog.hashint8(oid::bigint * 4294967296 + xmin::text::bigint)) from pg_catalog.pg_class where oid >= 16384),
    (select pg_catalog.sum(pg_catalog.hashint8(attrelid::bigint * 4294967296 + xmin::text::bigint)) from pg_catalog.pg_attribute where attrelid >= 16384),
    (select pg_catalog.sum(pg_catalog.hashint8(oid::bigint * 4294967296 + xmin::text::bigint)) from pg_catalog.pg_proc where oid >= 16384),
    (select pg_catalog.sum(pg_catalog.hashint8(oid::bigint * 4294967296 + xmin::text::bigint)) from pg_catalog.pg_type where oid >= 16384),
    (select pg_catalog.sum(pg_catalog.hashint8(oid::bigint * 4294967296 + xmin::text::bigint)) from pg_catalog.pg_constraint),
    (select pg_catalog.sum(pg_catalog.hashint8(oid::bigint * 4294967296 + xmin::text::bigint)) from pg_catalog.pg_policy),
    (select pg_catalog.sum(pg_catalog.hashint8(oid::bigint * 4294967296 + xmin::text::bigint)) from pg_catalog.pg_rewrite where oid >= 16384),
    (select pg_catalog.sum(pg_catalog.hashint8(oid::bigint * 4294967296 + xmin::text::bigint)) from pg_catalog.pg_cast where oid >= 16384),
    (select pg_catalog.sum(pg_catalog.hashint8(oid::bigint * 4294967296 + xmin::text::bigint)) from pg_catalog.pg_namespace),
    (select pg_catalog.sum(pg_catalog.hashint8(oid::bigint * 4294967296 + xmin::text::bigint)) from pg_catalog.pg_publication),
    (select pg_catalog.sum(pg_catalog.hashint8(oid::bigint * 4294967296 + xmin::text::bigint)) from pg_catalog.pg_publication_rel),
    (select pg_catalog.sum(pg_catalog.hashint8(objoid::bigint * 4294967296 + xmin::text::bigint)) from pg_catalog.pg_description where objoid >= 16384),
    (select pg_catalog.sum(pg_catalog.hashint8(setrole::bigint * 4294967296 + xmin::text::bigint)) from pg_catalog.pg_db_role_setting))
    as fingerprint`

export const timeZoneNames = sql('catalog.time_zones')`
  select name from pg_catalog.pg_timezone_names`

export const emptySearchPath = sql('catalog.search_path')`
  select pg_catalog.set_config('search_path', '', true)`
