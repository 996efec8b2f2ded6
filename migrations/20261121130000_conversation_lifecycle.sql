-- What happens to a conversation between its first message and its end: it is listed, continued, changed, cleared,
-- extended, forked, deleted, undeleted; and it is removed when it has ended, or its user wants everything erased.

-- allow: constraint: both columns are new, so no row can fail; one short row for each conversation is read
alter table public.conversations
  -- Messages up to this seq were cleared. The next one gets the seq behind last_seq all the same.
  add column cleared_seq integer not null default 0,
  -- {conversation_id, seq}: it began with the messages of that one up to that seq. That one may be gone.
  add column forked_from jsonb check (
    coalesce(
      jsonb_typeof(forked_from) = 'object'
        and (forked_from ->> 'conversation_id') ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        and (forked_from ->> 'seq') ~ '^[0-9]{1,9}$',
      forked_from is null
    )
  ),
  -- Set: it can be undeleted until its deadline, and is not found until then.
  add column deleted_at timestamptz,
  add constraint conversations_cleared_seq_check check (cleared_seq between 0 and last_seq);

-- The server's own list, and what is due to be removed.
-- allow: index: for the server's own conversations only; one short row for each conversation is read
create index conversations_created_at_idx on public.conversations (created_at desc, id) where user_id is null;
-- allow: index: the column is new, so the index begins empty
create index conversations_deleted_at_idx on public.conversations (deleted_at) where deleted_at is not null;

-- Keeps the times of a conversation, and lets nobody clear what is not there, or take back what was cleared.
create or replace function public.keep_conversation_times() returns trigger
  language plpgsql security invoker set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' then
    new.cleared_seq := greatest(old.cleared_seq, least(new.cleared_seq, new.last_seq));
    if (new.title, new.metadata, new.last_seq, new.cleared_seq)
      is distinct from (old.title, old.metadata, old.last_seq, old.cleared_seq)
    then
      new.updated_at := clock_timestamp();
      if old.accessed_at < now() - least(interval '1 minute', make_interval(secs => old.ttl_seconds / 12.0)) then
        new.accessed_at := clock_timestamp();
      end if;
    end if;
  end if;
  new.accessed_at := least(new.accessed_at, clock_timestamp());
  new.expires_at := new.accessed_at + make_interval(secs => new.ttl_seconds);
  if new.deleted_at > clock_timestamp() then
    new.deleted_at := clock_timestamp();
  end if;
  return new;
end
$$;

-- Gives a message its seq, as before. What another trigger writes has its seq already: that is a fork.
create or replace function public.number_message() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  if pg_trigger_depth() > 1 and new.seq is not null then
    return new;
  end if;
  update public.conversations set last_seq = last_seq + 1 where id = new.conversation_id
    returning last_seq into new.seq;
  if not found then
    -- In the words that a conversation of somebody else gets: whether there is one is nobody's business.
    raise insufficient_privilege using message = 'new row violates row-level security policy for table "messages"';
  end if;
  new.created_at := coalesce(new.created_at, clock_timestamp());
  return new;
end
$$;

-- A definer, because nobody may delete single messages: clearing is a change of cleared_seq, and that is what happens then.
create function public.remove_cleared_messages() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  delete from public.messages m where m.conversation_id = new.id and m.seq <= new.cleared_seq;
  return null;
end
$$;

create trigger remove_cleared_messages after update of cleared_seq on public.conversations
  for each row when (new.cleared_seq > old.cleared_seq) execute function public.remove_cleared_messages();

-- A definer, because nobody numbers or dates messages: a fork is a conversation that says what it is a fork of.
create function public.copy_forked_messages() returns trigger
  language plpgsql security definer set search_path = ''
as $$
declare
  source uuid;
  copied integer;
begin
  -- Until the end of the transaction nobody writes into it.
  select c.id into source from public.conversations c
    where c.id = (new.forked_from ->> 'conversation_id')::uuid and c.user_id is not distinct from new.user_id
      and c.deleted_at is null and (c.expires_at is null or c.expires_at > now())
    for share;
  if not found then
    raise insufficient_privilege using message = 'new row violates row-level security policy for table "conversations"';
  end if;
  insert into public.messages (conversation_id, seq, client_message_id, role, content, metadata, created_at)
    select new.id, row_number() over (order by m.seq), m.client_message_id, m.role, m.content, m.metadata, m.created_at
    from public.messages m
    where m.conversation_id = source and m.seq <= (new.forked_from ->> 'seq')::integer;
  get diagnostics copied = row_count;
  update public.conversations c set last_seq = copied where c.id = new.id;
  return null;
end
$$;

create trigger copy_forked_messages after insert on public.conversations
  for each row when (new.forked_from is not null) execute function public.copy_forked_messages();

-- What has ended is hidden from its user, but for the functions below that are about such conversations. They say so
-- for as long as they look at them (conversation_kit.ended); no request to the API can.
alter policy "users see their own until it expires" on public.conversations
  using (user_id = (select auth.uid()) and (
    (deleted_at is null and (expires_at is null or expires_at > now()))
    or (select current_setting('conversation_kit.ended', true)) = 'visible'
  ));
alter policy "users see their own until it expires" on public.conversations rename to "users see their own until it ends";
alter policy "users change their own until it expires" on public.conversations
  using (user_id = (select auth.uid()) and (
    (deleted_at is null and (expires_at is null or expires_at > now()))
    or (select current_setting('conversation_kit.ended', true)) = 'visible'
  ));
alter policy "users change their own until it expires" on public.conversations
  rename to "users change their own until it ends";

grant insert (id, forked_from), update (cleared_seq, deleted_at) on public.conversations to authenticated;

-- {status, conversation, expires_in_ms}: what every function below says of a conversation.
create function public.conversation_answer(status text, head public.conversations) returns json
  language sql stable security invoker set search_path = ''
as $$
  select json_build_object(
    'status', status,
    'conversation', to_json(head),
    'expires_in_ms', floor(extract(epoch from head.expires_at - clock_timestamp()) * 1000)
  );
$$;

-- With another signature: there can't be both, or a call would fit either.
drop function public.create_conversation(text, jsonb, integer);

-- Begins a conversation of the caller's: a user's own, or the server's.
-- Returns {status}: 'created', or 'there' when the caller has one with that id, with {conversation, expires_in_ms};
-- 'ended' when that id is taken by one that has ended.
create function public.create_conversation(
  title text default null,
  metadata jsonb default '{}',
  ttl_seconds integer default null,
  id uuid default null
) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  head public.conversations;
begin
  insert into public.conversations as c (id, title, metadata, ttl_seconds)
    values (
      coalesce(create_conversation.id, gen_random_uuid()),
      create_conversation.title, create_conversation.metadata, create_conversation.ttl_seconds
    )
    on conflict on constraint conversations_pkey do nothing
    returning c.* into head;
  if found then
    return public.conversation_answer('created', head);
  end if;
  select c.* into head from public.conversations c
    where c.id = create_conversation.id and c.user_id is not distinct from auth.uid()
      and c.deleted_at is null and (c.expires_at is null or c.expires_at > now());
  if found then
    return public.conversation_answer('there', head);
  end if;
  return json_build_object('status', 'ended');
end
$$;

-- The conversation of a continuation id, and counts as touching it; where there is none, another one is begun.
-- Returns {status, conversation, expires_in_ms}: 'continued', or why not: 'unknown', 'expired', or 'none' without an id.
create function public.continue_conversation(
  continuation_id uuid default null,
  title text default null,
  metadata jsonb default '{}',
  ttl_seconds integer default null
) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  head public.conversations;
  reason text := 'none';
begin
  if continuation_id is not null then
    perform set_config('conversation_kit.ended', 'visible', true);
    select c.* into head from public.conversations c
      where c.continuation_id = continue_conversation.continuation_id and c.deleted_at is null;
    reason := case when not found then 'unknown' when head.expires_at <= now() then 'expired' end;
    perform set_config('conversation_kit.ended', '', true);
  end if;
  if reason is null then
    update public.conversations c set accessed_at = clock_timestamp()
      where c.id = (select l.id from public.conversations l where l.id = head.id for no key update skip locked)
        and c.accessed_at < now() - least(interval '1 minute', make_interval(secs => c.ttl_seconds / 12.0));
    select c.* into head from public.conversations c where c.id = head.id;
    if found then
      return public.conversation_answer('continued', head);
    end if;
    reason := 'unknown'; -- removed just now
  end if;
  return jsonb_set(
    public.create_conversation(
      continue_conversation.title, continue_conversation.metadata, continue_conversation.ttl_seconds
    )::jsonb,
    '{status}', to_jsonb(reason)
  )::json;
end
$$;

-- Conversations that have not ended, newest first: those of `owner`, or the server's own; a user's own in any case.
-- At most max_conversations, behind the one that was created at after_created_at and has the id after_id.
-- Returns {conversations}.
create function public.list_conversations(
  owner uuid default null,
  max_conversations integer default 100,
  after_created_at timestamptz default null,
  after_id uuid default null
) returns json
  language plpgsql stable security invoker set search_path = ''
as $$
declare
  whose constant uuid := coalesce(owner, auth.uid());
  behind constant timestamptz := coalesce(after_created_at, 'infinity');
  conversations json;
begin
  -- Twice the same, because one index holds what users own and another what the server owns.
  if whose is null then
    select json_agg(to_json(l) order by l.created_at desc, l.id) into conversations
    from (
      select c.* from public.conversations c
      where c.user_id is null and c.deleted_at is null and (c.expires_at is null or c.expires_at > now())
        and c.created_at <= behind and (c.created_at < behind or c.id > after_id)
      order by c.created_at desc, c.id limit max_conversations
    ) l;
  else
    select json_agg(to_json(l) order by l.created_at desc, l.id) into conversations
    from (
      select c.* from public.conversations c
      where c.user_id = whose and c.deleted_at is null and (c.expires_at is null or c.expires_at > now())
        and c.created_at <= behind and (c.created_at < behind or c.id > after_id)
      order by c.created_at desc, c.id limit max_conversations
    ) l;
  end if;
  return json_build_object('conversations', coalesce(conversations, '[]'));
end
$$;

-- changes: {title?, metadata?}; what is left out stays. Returns {status}: 'not_found', or 'updated' with
-- {conversation, expires_in_ms}.
create function public.update_conversation(conversation_id uuid, changes jsonb) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  head public.conversations;
begin
  update public.conversations c set
      title = case when changes ? 'title' then changes ->> 'title' else c.title end,
      metadata = case when changes ? 'metadata' then changes -> 'metadata' else c.metadata end,
      accessed_at = clock_timestamp()
    where c.id = update_conversation.conversation_id
      and c.deleted_at is null and (c.expires_at is null or c.expires_at > now())
    returning c.* into head;
  return case when found then public.conversation_answer('updated', head) else '{"status": "not_found"}' end;
end
$$;

-- Removes all messages. Returns {status}: 'not_found', or 'cleared' with {conversation, expires_in_ms}.
create function public.clear_conversation(conversation_id uuid) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  head public.conversations;
begin
  update public.conversations c set cleared_seq = c.last_seq, accessed_at = clock_timestamp()
    where c.id = clear_conversation.conversation_id
      and c.deleted_at is null and (c.expires_at is null or c.expires_at > now())
    returning c.* into head;
  return case when found then public.conversation_answer('cleared', head) else '{"status": "not_found"}' end;
end
$$;

-- Lets it live so many seconds from now on, and from whenever it is touched; null: for good. Never shortens.
-- Returns {status}: 'not_found', or 'extended' with {conversation, expires_in_ms}.
create function public.extend_conversation(conversation_id uuid, ttl_seconds integer default null) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  head public.conversations;
begin
  update public.conversations c set
      ttl_seconds = case
        when c.ttl_seconds is not null and extend_conversation.ttl_seconds is not null
          then greatest(c.ttl_seconds, extend_conversation.ttl_seconds)
      end,
      accessed_at = clock_timestamp()
    where c.id = extend_conversation.conversation_id
      and c.deleted_at is null and (c.expires_at is null or c.expires_at > clock_timestamp())
    returning c.* into head;
  return case when found then public.conversation_answer('extended', head) else '{"status": "not_found"}' end;
end
$$;

-- Begins a conversation of the same owner with the messages up to seq (all, if null), numbered anew from 1. Its title is
-- that of the source, unless changes ({title?}) says otherwise; its metadata and its lifetime are those of the source.
-- Returns {status}: 'not_found'; 'conflict' with {last_seq} when there is no such seq yet; 'forked' with
-- {conversation, expires_in_ms}.
create function public.fork_conversation(
  conversation_id uuid,
  seq integer default null,
  changes jsonb default '{}'
) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  source public.conversations;
  head public.conversations;
begin
  select c.* into source from public.conversations c
    where c.id = fork_conversation.conversation_id
      and c.deleted_at is null and (c.expires_at is null or c.expires_at > now());
  if not found then
    return json_build_object('status', 'not_found');
  end if;
  if fork_conversation.seq > source.last_seq then
    return json_build_object('status', 'conflict', 'last_seq', source.last_seq);
  end if;
  insert into public.conversations as c (user_id, title, metadata, ttl_seconds, forked_from)
    values (
      source.user_id,
      case when changes ? 'title' then changes ->> 'title' else source.title end,
      source.metadata,
      source.ttl_seconds,
      jsonb_build_object('conversation_id', source.id, 'seq', coalesce(fork_conversation.seq, source.last_seq))
    )
    returning c.* into head;
  -- The messages came after the row.
  select c.* into head from public.conversations c where c.id = head.id;
  return public.conversation_answer('forked', head);
end
$$;

-- Returns {status}: 'not_found', or 'deleted' with {conversation, expires_in_ms}.
create function public.delete_conversation(conversation_id uuid) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  head public.conversations;
begin
  -- A row that its user does not see after the change could not be changed.
  perform set_config('conversation_kit.ended', 'visible', true);
  update public.conversations c set deleted_at = clock_timestamp()
    where c.id = delete_conversation.conversation_id
      and c.deleted_at is null and (c.expires_at is null or c.expires_at > now())
    returning c.* into head;
  perform set_config('conversation_kit.ended', '', true);
  return case
    when head.id is not null then public.conversation_answer('deleted', head)
    else '{"status": "not_found"}'
  end;
end
$$;

-- Takes a deletion back that is younger than that; it lives on from now, also when it has expired since. One that has
-- not ended stays as it is. Returns {status}: 'not_found', or 'undeleted' with {conversation, expires_in_ms}.
create function public.undelete_conversation(conversation_id uuid, within_seconds integer default 604800) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  head public.conversations;
begin
  perform set_config('conversation_kit.ended', 'visible', true);
  update public.conversations c set deleted_at = null, accessed_at = clock_timestamp()
    where c.id = undelete_conversation.conversation_id
      and case
        when c.deleted_at is null then c.expires_at is null or c.expires_at > now()
        else c.deleted_at > now() - make_interval(secs => within_seconds)
      end
    returning c.* into head;
  perform set_config('conversation_kit.ended', '', true);
  return case
    when head.id is not null then public.conversation_answer('undeleted', head)
    else '{"status": "not_found"}'
  end;
end
$$;

-- Of a user's own conversations; of all, for the server. total_messages are those of conversations that have not ended.
-- Returns {total_conversations, total_messages, expired_conversations}.
create function public.conversation_stats() returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  stats json;
begin
  perform set_config('conversation_kit.ended', 'visible', true);
  select json_build_object(
    'total_conversations', count(*) filter (where not c.expired),
    'total_messages', coalesce(sum(c.last_seq - c.cleared_seq) filter (where not c.expired), 0),
    'expired_conversations', count(*) filter (where c.expired)
  ) into stats
  from (
    select l.last_seq, l.cleared_seq, coalesce(l.expires_at <= now(), false) as expired
    from public.conversations l
    where l.deleted_at is null and (auth.uid() is null or l.user_id = auth.uid())
  ) c;
  perform set_config('conversation_kit.ended', '', true);
  return stats;
end
$$;

-- Removes conversations for good: those that expired, and those that were deleted, so many seconds ago; at most
-- max_conversations. Passes over what somebody writes to at this moment, who may be extending it.
-- Returns {removed: [ids], expired, deleted, rest}; rest: 'none', 'more', or 'busy' when somebody else is cleaning up.
create function public.clean_up_conversations(
  max_conversations integer default 1000,
  expired_seconds integer default 86400,
  deleted_seconds integer default 604800
) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  expired uuid[];
  deleted uuid[];
begin
  if not pg_try_advisory_xact_lock(hashtext('conversation_kit.clean_up_conversations')) then
    return json_build_object('removed', '[]'::json, 'expired', 0, 'deleted', 0, 'rest', 'busy');
  end if;
  with due as (
    select c.id from public.conversations c
    where c.deleted_at is null and c.expires_at < now() - make_interval(secs => expired_seconds)
    order by c.expires_at limit max_conversations for update skip locked
  ), removed as (
    delete from public.conversations c using due where c.id = due.id returning c.id
  )
  select coalesce(array_agg(r.id), '{}') into expired from removed r;
  with due as (
    select c.id from public.conversations c
    where c.deleted_at < now() - make_interval(secs => deleted_seconds)
    order by c.deleted_at limit max_conversations - cardinality(expired) for update skip locked
  ), removed as (
    delete from public.conversations c using due where c.id = due.id returning c.id
  )
  select coalesce(array_agg(r.id), '{}') into deleted from removed r;
  return json_build_object(
    'removed', to_json(expired || deleted),
    'expired', cardinality(expired),
    'deleted', cardinality(deleted),
    'rest', case when cardinality(expired) + cardinality(deleted) < max_conversations then 'none' else 'more' end
  );
end
$$;

-- Ids of a user's conversations, ended ones too. Returns {conversation_ids}.
create function public.list_conversations_to_erase(user_id uuid, max_conversations integer default 100) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  ids uuid[];
begin
  perform set_config('conversation_kit.ended', 'visible', true);
  select array_agg(l.id) into ids
  from (
    select c.id from public.conversations c where c.user_id = list_conversations_to_erase.user_id
    order by c.created_at desc, c.id limit max_conversations
  ) l;
  perform set_config('conversation_kit.ended', '', true);
  return json_build_object('conversation_ids', coalesce(to_json(ids), '[]'));
end
$$;

-- Removes these conversations of that user for good. Returns {conversations}: how many there were.
create function public.erase_conversations(user_id uuid, conversation_ids uuid[]) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  erased integer;
begin
  perform set_config('conversation_kit.ended', 'visible', true);
  delete from public.conversations c
    where c.id = any (conversation_ids) and c.user_id = erase_conversations.user_id;
  get diagnostics erased = row_count;
  perform set_config('conversation_kit.ended', '', true);
  return json_build_object('conversations', erased);
end
$$;

-- With another signature, as above.
drop function public.read_thread(uuid, integer, integer, integer, integer);

-- Reads a page of a conversation, and counts as touching it: at most max_messages, and no more than 4 MiB unless one
-- message alone is larger. The newest ones; or the newest before before_seq; or the oldest after after_seq.
-- Returns {status}: 'not_found' (none, ended, or somebody else's); 'unchanged' when last_seq is known_seq and
-- cleared_seq is known_cleared_seq, with {conversation, expires_in_ms}; 'found' with {conversation, expires_in_ms,
-- messages, has_earlier, has_later}.
create function public.read_thread(
  conversation_id uuid,
  max_messages integer default 100,
  before_seq integer default null,
  after_seq integer default null,
  known_seq integer default null,
  known_cleared_seq integer default 0
) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  max_bytes constant integer := 4 * 1024 * 1024;
  head public.conversations;
  touched public.conversations;
  page json;
  first_seq integer;
  final_seq integer;
begin
  loop
    select c.* into head from public.conversations c
      where c.id = read_thread.conversation_id
        and c.deleted_at is null and (c.expires_at is null or c.expires_at > now());
    if not found then
      return json_build_object('status', 'not_found');
    end if;

    if head.accessed_at < now() - least(interval '1 minute', make_interval(secs => head.ttl_seconds / 12.0)) then
      -- Whoever holds the row is touching it, too: no reader waits for a writer.
      update public.conversations c set accessed_at = clock_timestamp()
        where c.id = (select l.id from public.conversations l where l.id = head.id for no key update skip locked)
        returning c.* into touched;
      if found then
        head := touched;
      end if;
    end if;

    if head.last_seq = known_seq and head.cleared_seq = known_cleared_seq then
      return public.conversation_answer('unchanged', head);
    end if;

    -- Up to last_seq of the row that was read: a message that came after it belongs to the next read.
    if after_seq is null then
      select json_agg(to_json(m) order by m.seq), min(m.seq), max(m.seq) into page, first_seq, final_seq
      from (
        select w.seq, w.client_message_id, w.role, w.content, w.metadata, w.created_at
        from (
          select l.*, sum(l.size) over (order by l.seq desc) - l.size as bytes_before
          from (
            select n.* from public.messages n
            where n.conversation_id = head.id and n.seq <= least(head.last_seq, before_seq - 1)
            order by n.seq desc limit max_messages
          ) l
        ) w
        where w.bytes_before < max_bytes
      ) m;
    else
      select json_agg(to_json(m) order by m.seq), min(m.seq), max(m.seq) into page, first_seq, final_seq
      from (
        select w.seq, w.client_message_id, w.role, w.content, w.metadata, w.created_at
        from (
          select l.*, sum(l.size) over (order by l.seq) - l.size as bytes_before
          from (
            select n.* from public.messages n
            where n.conversation_id = head.id and n.seq > after_seq and n.seq <= head.last_seq
            order by n.seq limit max_messages
          ) l
        ) w
        where w.bytes_before < max_bytes
      ) m;
    end if;

    -- Cleared or removed in between, some of them may be missing: then it is read again.
    exit when exists (
      select from public.conversations c where c.id = head.id and c.cleared_seq = head.cleared_seq
    );
  end loop;

  return json_build_object(
    'status', 'found',
    'conversation', to_json(head),
    'expires_in_ms', floor(extract(epoch from head.expires_at - clock_timestamp()) * 1000),
    'messages', coalesce(page, '[]'),
    'has_earlier', exists (
      select from public.messages m where m.conversation_id = head.id and m.seq < coalesce(first_seq, after_seq + 1)
    ),
    'has_later', exists (
      select from public.messages m where m.conversation_id = head.id and m.seq <= head.last_seq
        and m.seq > coalesce(final_seq, before_seq - 1)
    )
  );
end
$$;

-- As before, and not to what was deleted. Appends messages, all or none, in their order, behind every message that was acknowledged before.
-- Each is {client_message_id, role, content, metadata}. One that is there already stays as it is, and its seq is
-- returned: whoever is not sure that a message arrived sends it again.
-- Returns {status}: 'not_found'; 'client_message_id_reused' with {client_message_id, seq} when that message says
-- something else; 'conflict' when the last seq is not expected_seq, with {last_seq, missed}; 'appended' with
-- {conversation, expires_in_ms, messages: [{client_message_id, seq, created_at, duplicate}]}.
create or replace function public.append_messages(
  conversation_id uuid,
  messages jsonb,
  expected_seq integer default null
) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  head public.conversations;
  reused record;
  fresh integer;
  results json;
begin
  -- Appends to one conversation go one after the other, from here to the end of the transaction.
  select c.* into head from public.conversations c
    where c.id = append_messages.conversation_id
      and c.deleted_at is null and (c.expires_at is null or c.expires_at > now())
    for no key update;
  if not found then
    return json_build_object('status', 'not_found');
  end if;

  select m.client_message_id, m.seq into reused
    from jsonb_array_elements(append_messages.messages) as given (message)
    join public.messages m
      on m.conversation_id = head.id and m.client_message_id = given.message ->> 'client_message_id'
    where m.role is distinct from given.message ->> 'role' or m.content is distinct from given.message -> 'content'
    limit 1;
  if found then
    return json_build_object(
      'status', 'client_message_id_reused', 'client_message_id', reused.client_message_id, 'seq', reused.seq
    );
  end if;

  select count(*) into fresh from jsonb_array_elements(append_messages.messages) as given (message)
    where not exists (
      select from public.messages m
      where m.conversation_id = head.id and m.client_message_id = given.message ->> 'client_message_id'
    );
  if fresh > 0 and expected_seq <> head.last_seq then
    return json_build_object(
      'status', 'conflict',
      'last_seq', head.last_seq,
      'missed', public.read_thread(head.id, after_seq => expected_seq) -> 'messages'
    );
  end if;

  with given as (
    select
      g.position,
      coalesce(g.message ->> 'client_message_id', gen_random_uuid()::text) as client_message_id,
      g.message ->> 'role' as role,
      g.message -> 'content' as content,
      coalesce(g.message -> 'metadata', '{}') as metadata
    from jsonb_array_elements(append_messages.messages) with ordinality as g (message, position)
  ), stored as (
    insert into public.messages as m (conversation_id, client_message_id, role, content, metadata)
    select head.id, g.client_message_id, g.role, g.content, g.metadata from given g
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
  return json_build_object(
    'status', 'appended',
    'conversation', to_json(head),
    'expires_in_ms', floor(extract(epoch from head.expires_at - clock_timestamp()) * 1000),
    'messages', results
  );
end
$$;

revoke all on function public.remove_cleared_messages(), public.copy_forked_messages()
  from public, anon, authenticated, service_role;
revoke all on function public.clean_up_conversations(integer, integer, integer) from public, anon, authenticated;
grant execute on function public.clean_up_conversations(integer, integer, integer) to service_role;
revoke all on function
  public.conversation_answer(text, public.conversations),
  public.create_conversation(text, jsonb, integer, uuid),
  public.continue_conversation(uuid, text, jsonb, integer),
  public.list_conversations(uuid, integer, timestamptz, uuid),
  public.update_conversation(uuid, jsonb),
  public.clear_conversation(uuid),
  public.extend_conversation(uuid, integer),
  public.fork_conversation(uuid, integer, jsonb),
  public.delete_conversation(uuid),
  public.undelete_conversation(uuid, integer),
  public.conversation_stats(),
  public.list_conversations_to_erase(uuid, integer),
  public.erase_conversations(uuid, uuid[]),
  public.read_thread(uuid, integer, integer, integer, integer, integer)
  from public, anon;
grant execute on function
  public.conversation_answer(text, public.conversations),
  public.create_conversation(text, jsonb, integer, uuid),
  public.continue_conversation(uuid, text, jsonb, integer),
  public.list_conversations(uuid, integer, timestamptz, uuid),
  public.update_conversation(uuid, jsonb),
  public.clear_conversation(uuid),
  public.extend_conversation(uuid, integer),
  public.fork_conversation(uuid, integer, jsonb),
  public.delete_conversation(uuid),
  public.undelete_conversation(uuid, integer),
  public.conversation_stats(),
  public.list_conversations_to_erase(uuid, integer),
  public.erase_conversations(uuid, uuid[]),
  public.read_thread(uuid, integer, integer, integer, integer, integer)
  to authenticated, service_role;

-- Hourly, where the database can do that by itself. Elsewhere the service does it; both at once do no harm.
do $$
begin
  if exists (select from pg_catalog.pg_extension where extname = 'pg_cron') then
    perform cron.schedule(
      'conversation-kit: clean up', '17 * * * *', 'select public.clean_up_conversations()'
    );
  end if;
end
$$;
