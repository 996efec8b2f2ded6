-- Conversations that were exported come back with what they had: ids, seq, names and times of their messages.

-- Puts back messages of a conversation of `owner` (null: the server's own), and the conversation itself where there is
-- none. conversation: {id, continuation_id, title, metadata, cleared_seq, created_at, ttl_seconds}; one that is there
-- stays as it is. messages: {seq, client_message_id, role, content, metadata, created_at} in the order of seq; what is
-- there already has to be the same. Another seq than theirs they can't get: new ones have to follow on the last one.
-- Returns {status}: 'unknown_user'; 'taken' when the id, or the continuation id, is that of another conversation, or of
-- one that has ended; 'conflict' with {seq}: there is another message with this seq or with the name of this one; 'gap'
-- with {seq, last_seq}: it does not follow on the last one; 'imported' with {created, imported, unchanged, last_seq}.
create function public.import_messages_for(owner uuid, conversation jsonb, messages jsonb) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  head public.conversations;
  created boolean;
  given integer := jsonb_array_length(messages);
  fresh integer;
  fault integer;
begin
  begin
    insert into public.conversations as c
        (id, user_id, continuation_id, title, metadata, cleared_seq, last_seq, created_at, ttl_seconds)
      values (
        (conversation ->> 'id')::uuid, owner, (conversation ->> 'continuation_id')::uuid, conversation ->> 'title',
        conversation -> 'metadata', (conversation ->> 'cleared_seq')::integer, (conversation ->> 'cleared_seq')::integer,
        (conversation ->> 'created_at')::timestamptz, (conversation ->> 'ttl_seconds')::integer
      )
      on conflict do nothing;
    created := found;
  exception when foreign_key_violation then
    return '{"status": "unknown_user"}';
  end;
  select c.* into head from public.conversations c
    where c.id = (conversation ->> 'id')::uuid and c.user_id is not distinct from owner
      and c.deleted_at is null and (c.expires_at is null or c.expires_at > now())
    for no key update;
  if not found then
    return '{"status": "taken"}';
  end if;

  -- What was cleared since is not missed, and does not come back.
  select min(g.seq) into fault
    from jsonb_to_recordset(messages)
      as g (seq integer, client_message_id text, role text, content jsonb, metadata jsonb, created_at timestamptz)
    left join public.messages m on m.conversation_id = head.id and m.seq = g.seq
    where g.seq > head.cleared_seq and g.seq <= head.last_seq
      and (g.client_message_id, g.role, g.content, g.metadata, g.created_at)
        is distinct from (m.client_message_id, m.role, m.content, m.metadata, m.created_at);
  if fault is not null then
    return json_build_object('status', 'conflict', 'seq', fault);
  end if;

  select min(g.seq) into fault
    from (
      select n.seq, row_number() over (order by n.position) as place
      from (
        select (a.message ->> 'seq')::integer as seq, a.position
        from jsonb_array_elements(messages) with ordinality as a (message, position)
      ) n
      where n.seq > head.last_seq
    ) g
    where g.seq <> head.last_seq + g.place;
  if fault is not null then
    return json_build_object('status', 'gap', 'seq', fault, 'last_seq', head.last_seq);
  end if;

  select min(g.seq) into fault
    from (
      select n.seq, n.client_message_id, row_number() over (partition by n.client_message_id order by n.seq) as place
      from jsonb_to_recordset(messages) as n (seq integer, client_message_id text)
    ) g
    where g.seq > head.last_seq and (g.place > 1 or exists (
      select from public.messages m
      where m.conversation_id = head.id and m.client_message_id = g.client_message_id
    ));
  if fault is not null then
    return json_build_object('status', 'conflict', 'seq', fault);
  end if;

  -- The trigger on messages gives each its number, in this order.
  insert into public.messages (conversation_id, client_message_id, role, content, metadata, created_at)
    select head.id, g.client_message_id, g.role, g.content, g.metadata, g.created_at
    from jsonb_to_recordset(messages)
      as g (seq integer, client_message_id text, role text, content jsonb, metadata jsonb, created_at timestamptz)
    where g.seq > head.last_seq
    order by g.seq;
  get diagnostics fresh = row_count;
  return json_build_object(
    'status', 'imported', 'created', created, 'imported', fresh, 'unchanged', given - fresh, 'last_seq', head.last_seq + fresh
  );
end
$$;

-- The same for a user: theirs, whoever calls. A definer, because users neither number nor date what they write; here they
-- do, in conversations that are their own.
create function public.import_messages(conversation jsonb, messages jsonb) returns json
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if auth.uid() is null then
    raise insufficient_privilege using message = 'only a user imports their own conversations';
  end if;
  return public.import_messages_for(auth.uid(), conversation, messages);
end
$$;

revoke all on function
  public.import_messages_for(uuid, jsonb, jsonb), public.import_messages(jsonb, jsonb)
  from public, anon, authenticated, service_role;
grant execute on function public.import_messages_for(uuid, jsonb, jsonb) to service_role;
grant execute on function public.import_messages(jsonb, jsonb) to authenticated;
