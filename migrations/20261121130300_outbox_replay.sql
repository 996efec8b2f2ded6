-- What was acknowledged while the database was away comes in here, for its owner and with its own times. Only the
-- server replays: a user's token may have run out by then, so the owner is named, and checked.

-- Begins a conversation that was begun while the database was away. Replaying it again finds it, and touches it.
-- Returns {status}: 'owner_unknown'; 'not_found' when that id is another owner's, or was deleted since; 'stored' with
-- {conversation, expires_in_ms}.
create function public.replay_conversation(
  id uuid,
  continuation_id uuid,
  owner uuid,
  title text,
  metadata jsonb,
  ttl_seconds integer,
  created_at timestamptz
) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  head public.conversations;
begin
  insert into public.conversations (id, continuation_id, user_id, title, metadata, ttl_seconds, created_at)
    values (
      replay_conversation.id, replay_conversation.continuation_id, replay_conversation.owner,
      replay_conversation.title, replay_conversation.metadata, replay_conversation.ttl_seconds,
      least(replay_conversation.created_at, clock_timestamp())
    )
    on conflict on constraint conversations_pkey do nothing;
  update public.conversations c set accessed_at = clock_timestamp()
    where c.id = replay_conversation.id and c.user_id is not distinct from replay_conversation.owner
      and c.deleted_at is null
    returning c.* into head;
  return case when found then public.conversation_answer('stored', head) else '{"status": "not_found"}' end;
exception
  when foreign_key_violation then
    return json_build_object('status', 'owner_unknown');
end
$$;

-- Appends messages that were acknowledged while the database was away, all or none, in their order, behind every one
-- that is there. Each is {client_message_id, role, content, metadata, created_at}; one that is there already stays as it
-- is. The conversation was alive when they were acknowledged: that it expired since is no reason to lose them, and they
-- touch it.
-- Returns {status}: 'not_found' (none, deleted, or another owner's); 'client_message_id_reused'; 'stored' with
-- {conversation, expires_in_ms, messages: [{client_message_id, seq, created_at, duplicate}]}.
create function public.replay_messages(conversation_id uuid, owner uuid, messages jsonb) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  head public.conversations;
  results json;
begin
  -- Whoever appends at this moment waits, or is waited for.
  update public.conversations c set accessed_at = clock_timestamp()
    where c.id = replay_messages.conversation_id and c.user_id is not distinct from replay_messages.owner
      and c.deleted_at is null
    returning c.* into head;
  if not found then
    return json_build_object('status', 'not_found');
  end if;

  perform from jsonb_array_elements(replay_messages.messages) as given (message)
    join public.messages m
      on m.conversation_id = head.id and m.client_message_id = given.message ->> 'client_message_id'
    where m.role is distinct from given.message ->> 'role' or m.content is distinct from given.message -> 'content';
  if found then
    return json_build_object('status', 'client_message_id_reused');
  end if;

  with given as (
    select g.position, g.message ->> 'client_message_id' as client_message_id, g.message
    from jsonb_array_elements(replay_messages.messages) with ordinality as g (message, position)
  ), stored as (
    insert into public.messages as m (conversation_id, client_message_id, role, content, metadata, created_at)
    select
      head.id, g.client_message_id, g.message ->> 'role', g.message -> 'content', g.message -> 'metadata',
      least((g.message ->> 'created_at')::timestamptz, clock_timestamp())
    from given g
    where not exists (
      select from public.messages k where k.conversation_id = head.id and k.client_message_id = g.client_message_id
    )
    order by g.position
    returning m.client_message_id, m.seq, m.created_at
  )
  select json_agg(
    json_build_object(
      'client_message_id', g.client_message_id,
      'seq', coalesce(s.seq, k.seq),
      'created_at', coalesce(s.created_at, k.created_at),
      'duplicate', s.seq is null
    ) order by g.position
  ) into results
  from given g
  left join stored s on s.client_message_id = g.client_message_id
  left join public.messages k on k.conversation_id = head.id and k.client_message_id = g.client_message_id;

  select c.* into head from public.conversations c where c.id = head.id;
  return jsonb_set(
    public.conversation_answer('stored', head)::jsonb, '{messages}', results::jsonb
  )::json;
end
$$;

revoke all on function
  public.replay_conversation(uuid, uuid, uuid, text, jsonb, integer, timestamptz),
  public.replay_messages(uuid, uuid, jsonb)
  from public, anon, authenticated;
grant execute on function
  public.replay_conversation(uuid, uuid, uuid, text, jsonb, integer, timestamptz),
  public.replay_messages(uuid, uuid, jsonb)
  to service_role;
