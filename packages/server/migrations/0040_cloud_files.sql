-- Files of wx.cloud: one bucket beside all others, whose permission is one of WeChat's four presets, as row-level security like any other.

insert into storage.buckets (id, name, public) values ('cloud', 'cloud', false) on conflict (id) do nothing;

-- READONLY: everyone reads, creators write. PRIVATE: only creators. ADMINWRITE: everyone reads, functions write. ADMINONLY: functions.
create function cloud.set_storage_permission(permission text) returns void
  language plpgsql
  set search_path = ''
as $$
declare
  everyone constant boolean := permission in ('READONLY', 'ADMINWRITE');
  creators constant boolean := permission in ('READONLY', 'PRIVATE');
begin
  if permission is null or permission not in ('READONLY', 'PRIVATE', 'ADMINWRITE', 'ADMINONLY') then
    raise exception 'a storage permission is READONLY, PRIVATE, ADMINWRITE or ADMINONLY' using errcode = '22023';
  end if;
  drop policy if exists "cloud files: everyone reads" on storage.objects;
  drop policy if exists "cloud files: creators read" on storage.objects;
  drop policy if exists "cloud files: creators write" on storage.objects;
  drop policy if exists "cloud files: creators change" on storage.objects;
  drop policy if exists "cloud files: creators remove" on storage.objects;
  if everyone then
    create policy "cloud files: everyone reads" on storage.objects for select to anon, authenticated
      using (bucket_id = 'cloud');
  end if;
  if creators then
    create policy "cloud files: creators read" on storage.objects for select to authenticated
      using (bucket_id = 'cloud' and owner_id = (select auth.uid())::text);
    create policy "cloud files: creators write" on storage.objects for insert to authenticated
      with check (bucket_id = 'cloud' and owner_id = (select auth.uid())::text);
    create policy "cloud files: creators change" on storage.objects for update to authenticated
      using (bucket_id = 'cloud' and owner_id = (select auth.uid())::text)
      with check (bucket_id = 'cloud' and owner_id = (select auth.uid())::text);
    create policy "cloud files: creators remove" on storage.objects for delete to authenticated
      using (bucket_id = 'cloud' and owner_id = (select auth.uid())::text);
  end if;
end
$$;

revoke execute on function cloud.set_storage_permission(text) from public;
grant execute on function cloud.set_storage_permission(text) to service_role;

select cloud.set_storage_permission('READONLY');
