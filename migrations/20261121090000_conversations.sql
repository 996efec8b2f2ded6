-- Conversations and their messages. Tables, policies and functions are stated here and nowhere else.
--
-- Writes go through functions: an append is one round trip and one transaction, ordered (`seq` per conversation, without
-- gap or duplicate) and idempotent (`client_message_id`). A row of another user is not "forbidden", it is not there.

create table public.conversations (
  id uuid primary key default gen_random_uuid(),
  -- The owner. Null: the server's own, which no user sees: `null = auth.uid()` is never true.
  user_id uuid references auth.users (id) on delete cascade,
  continuation_id text not null default gen_random_uuid()::text,
  title text,
  metadata jsonb not null default '{}',
  -- `seq` of the newest message; 0 before the first.
  last_seq bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  accessed_at timestamptz not null default now(),
  expires_at timestamptz not null,
  constraint conversations_continuation_id_key unique (continuation_id),
  constraint conversations_metadata_is_object check (jsonb_typeof(metadata) = 'object'),
  constraint conversations_last_seq_not_negative check (last_seq >= 0)
);
create index conversations_user_id_updated_at_idx on public.conversations (user_id, updated_at desc);
create index conversations_expires_at_idx on public.conversations (expires_at);

create table public.messages (
  conversation_id uuid not null references public.conversations (id) on delete cascade,
  seq bigint not null,
  id uuid not null default gen_random_uuid(),
  client_message_id text not null,
  role text not null,
  -- A text, or an array of typed parts.
  content jsonb not null,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  primary key (conversation_id, seq),
  constraint messages_id_key unique (id),
  constraint messages_client_message_id_key unique (conversation_id, client_message_id),
  constraint messages_role_known check (role in ('user', 'assistant', 'system', 'tool')),
  constraint messages_content_shape check (jsonb_typeof(content) in ('string', 'array')),
  constraint messages_metadata_is_object check (jsonb_typeof(metadata) = 'object'),
  constraint messages_seq_positive check (seq > 0)
);

-- Row-level security: the server everything, a user the own rows, nobody else anything. Privileges first: what a role was
-- not granted, no policy gives it.

alter table public.conversations enable row level security;
alter table public.messages enable row level security;

revoke all on public.conversations, public.messages from public, anon, authenticated;
grant all on public.conversations, public.messages to service_role;
grant select, delete on public.conversations to authenticated;
grant insert (user_id, title, metadata, expires_at) on public.conversations to authenticated;
grant update (title, metadata, accessed_at, expires_at) on public.conversations to authenticated;
grant select on public.messages to authenticated;
grant insert (conversation_id, client_message_id, role, content, metadata) on public.messages to authenticated;

create policy conversations_server on public.conversations for all to service_role using (true) with check (true);
create policy conversations_owner_reads on public.conversations for select to authenticated
  using (user_id = (select auth.uid()));
create policy conversations_owner_creates on public.conversations for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy conversations_owner_changes on public.conversations for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy conversations_owner_deletes on public.conversations for delete to authenticated
  using (user_id = (select auth.uid()));

create policy messages_server on public.messages for all to service_role using (true) with check (true);
create policy messages_owner_reads on public.messages for select to authenticated
  using (exists (
    select from public.conversations c where c.id = conversation_id and c.user_id = (select auth.uid())
  ));
create policy messages_owner_appends on public.messages for insert to authenticated
  with check (exists (
    select from public.conversations c where c.id = conversation_id and c.user_id = (select auth.uid())
  ));

-- The order of messages is given here, whichever way they come in: nobody chooses a `seq`, so nobody can leave a gap or
-- take one twice. Definer: a user may not write `last_seq`, and this has to.
create function public.order_message() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  -- The row's lock makes appends to one conversation queue up; other conversations are not held up.
  perform from public.conversations where id = new.conversation_id for update;
  if exists (
    select from public.messages m
    where m.conversation_id = new.conversation_id and m.client_message_id = new.client_message_id
  ) then
    return null; -- a repetition: it is there already
  end if;
  update public.conversations
  set last_seq = last_seq + 1, updated_at = now(), accessed_at = now()
  where id = new.conversation_id
  returning last_seq into new.seq;
  if not found then
    raise foreign_key_violation using message = 'no such conversation';
  end if;
  return new;
end
$$;
revoke execute on function public.order_message() from public, anon, authenticated;
create trigger messages_in_order before insert on public.messages
  for each row execute function public.order_message();

create function public.touch_updated_at() returns trigger
language plpgsql security invoker set search_path = '' as $$
begin
  new.updated_at := now();
  return new;
end
$$;
revoke execute on function public.touch_updated_at() from public, anon, authenticated;
create trigger conversations_updated_at before update of title, metadata on public.conversations
  for each row execute function public.touch_updated_at();

-- A conversation as the service reads it: timestamps in ISO 8601, UTC.
create function public.conversation_head(c public.conversations) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'id', c.id, 'user_id', c.user_id, 'continuation_id', c.continuation_id, 'title', c.title, 'metadata', c.metadata,
    'last_seq', c.last_seq, 'created_at', c.created_at, 'updated_at', c.updated_at, 'expires_at', c.expires_at
  )
$$;

create function public.message_document(m public.messages) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'seq', m.seq, 'id', m.id, 'client_message_id', m.client_message_id, 'role', m.role, 'content', m.content,
    'metadata', m.metadata, 'created_at', m.created_at
  )
$$;

-- Creates a conversation of the caller's; of the server's own where the caller is the server.
create function public.create_conversation(title text, metadata jsonb, ttl_seconds integer) returns jsonb
language sql volatile security invoker set search_path = '' as $$
  insert into public.conversations as c (user_id, title, metadata, expires_at)
  values (
    (select auth.uid()), create_conversation.title, create_conversation.metadata,
    now() + make_interval(secs => create_conversation.ttl_seconds)
  )
  returning public.conversation_head(c)
$$;

-- Appends messages in the order given. Outcomes:
--   appended   `messages` with their `seq`; `duplicate` marks those that were there already
--   conflict   `expected_seq` is not the newest: `messages` are those that the caller has not seen; nothing was written
--   not_found  no such conversation for this caller, or expired
create function public.append_messages(conversation_id uuid, messages jsonb, expected_seq bigint default null)
returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  wanted constant uuid := append_messages.conversation_id;
  before bigint;
  result jsonb;
  is_repetition boolean;
begin
  select c.last_seq into before from public.conversations c where c.id = wanted and c.expires_at > now() for update;
  if not found then
    return jsonb_build_object('outcome', 'not_found');
  end if;

  if append_messages.expected_seq is not null and append_messages.expected_seq <> before then
    -- A repetition of an append that went through is not a conflict: its caller has not got the reply.
    select bool_and(exists (
      select from public.messages m
      where m.conversation_id = wanted and m.client_message_id = given.value ->> 'client_message_id'
    )) into is_repetition
    from jsonb_array_elements(append_messages.messages) as given;
    if not is_repetition then
      select coalesce(jsonb_agg(public.message_document(m) order by m.seq), '[]') into result
      from (
        select * from public.messages m
        where m.conversation_id = wanted and m.seq > append_messages.expected_seq order by m.seq limit 100
      ) as m;
      return jsonb_build_object('outcome', 'conflict', 'last_seq', before, 'messages', result);
    end if;
  end if;

  insert into public.messages (conversation_id, client_message_id, role, content, metadata)
  select wanted, given.value ->> 'client_message_id', given.value ->> 'role', given.value -> 'content',
    coalesce(given.value -> 'metadata', '{}')
  from jsonb_array_elements(append_messages.messages) with ordinality as given (value, position)
  order by given.position;

  select jsonb_agg(
    public.message_document(m) || jsonb_build_object('duplicate', m.seq <= before) order by given.position
  ) into result
  from jsonb_array_elements(append_messages.messages) with ordinality as given (value, position)
  join public.messages m
    on m.conversation_id = wanted and m.client_message_id = given.value ->> 'client_message_id';
  return jsonb_build_object(
    'outcome', 'appended', 'previous_seq', before,
    'conversation', (select public.conversation_head(c) from public.conversations c where c.id = wanted),
    'messages', result
  );
end
$$;

-- A conversation with its newest messages, or those before or after a `seq`, oldest first. Null: no such conversation for
-- this caller, or expired. Reading counts as access, to the minute.
create function public.read_thread(
  conversation_id uuid, page_size integer default 100, before_seq bigint default null, after_seq bigint default null
) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  conversation public.conversations;
  page jsonb;
begin
  select * into conversation from public.conversations c
  where c.id = read_thread.conversation_id and c.expires_at > now();
  if not found then
    return null;
  end if;
  if conversation.accessed_at < now() - interval '1 minute' then
    update public.conversations c set accessed_at = now() where c.id = conversation.id;
  end if;

  if after_seq is not null then
    select jsonb_agg(public.message_document(m) order by m.seq) into page from (
      select * from public.messages m
      where m.conversation_id = conversation.id and m.seq > after_seq and (before_seq is null or m.seq < before_seq)
      order by m.seq limit page_size
    ) as m;
  else
    select jsonb_agg(public.message_document(m) order by m.seq) into page from (
      select * from public.messages m
      where m.conversation_id = conversation.id and (before_seq is null or m.seq < before_seq)
      order by m.seq desc limit page_size
    ) as m;
  end if;
  return jsonb_build_object('conversation', public.conversation_head(conversation), 'messages', coalesce(page, '[]'));
end
$$;

revoke execute on function
  public.conversation_head(public.conversations), public.message_document(public.messages),
  public.create_conversation(text, jsonb, integer), public.append_messages(uuid, jsonb, bigint),
  public.read_thread(uuid, integer, bigint, bigint)
from public, anon;
grant execute on function
  public.conversation_head(public.conversations), public.message_document(public.messages),
  public.create_conversation(text, jsonb, integer), public.append_messages(uuid, jsonb, bigint),
  public.read_thread(uuid, integer, bigint, bigint)
to authenticated, service_role;
