-- Who reaches the objects of the kit's buckets. A user's own are those under `<user id>/…`; nobody else sees them but
-- the server. Row-level security is on for storage.objects wherever there is Storage, and what no policy allows is
-- refused: anonymous requests get nothing.

create policy "conversation-kit: the server reaches all" on storage.objects
  for all to service_role
  using (bucket_id in ('user-files', 'generated-files', 'mcp-files'))
  with check (bucket_id in ('user-files', 'generated-files', 'mcp-files'));

create policy "conversation-kit: users reach their own folder" on storage.objects
  for all to authenticated
  using (
    bucket_id in ('user-files', 'generated-files', 'mcp-files')
    and (storage.foldername(name))[1] = (select auth.uid())::text
  )
  with check (
    bucket_id in ('user-files', 'generated-files', 'mcp-files')
    and (storage.foldername(name))[1] = (select auth.uid())::text
  );
