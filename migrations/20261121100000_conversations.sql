-- Conversations, their messages, and the three calls through which they are made, extended and read.

create table public.conversations (
  id uuid primary key default gen_random_uuid(),
  -- Null: owned by the server itself, and seen by no user.
  user_id uuid default auth.uid() references auth.users (id) on delete cascade,
  continuation_id uuid not null unique default gen_random_uuid(),
  title text check (char_length(title) between 1 and 500),
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  -- The seq of the newest message; 0: there is none. Counted by the trigger on messages, and by nothing else.
  last_seq integer not null default 0 check (last_seq >= 0),
  -- How long it lives after it was last touched; null: for good.
  ttl_seconds integer check (ttl_seconds between 1 and 315360000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- Kept to the minute, or to a twelfth of a shorter life: a busy conversation does not rewrite its index entries with
  -- every message.
  accessed_at timestamptz not null default now(),
  expires_at timestamptz
) with (fillfactor = 80);

comment on table public.conversations is 'A conversation: who owns it, what it is called, how long it lives.';

-- For the cascade from auth.users, and for a user's own list.
create index conversations_user_id_created_at_idx on public.conversations (user_id, created_at desc, id)
  where user_id is not null;
create index conversations_expires_at_idx on public.conversations (expires_at) where expires_at is not null;

create table public.messages (
  conversation_id uuid not null references public.conversations (id) on delete cascade,
  -- 1, 2, 3 … in each conversation: set by the trigger below, whatever is inserted.
  seq integer not null,
  client_message_id text not null check (char_length(client_message_id) between 1 and 200),
  role text not null check (role in ('user', 'assistant', 'system', 'tool')),
  -- A text, or an array of typed parts.
  content jsonb not null check (jsonb_typeof(content) in ('string', 'array')),
  metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  created_at timestamptz not null,
  -- Bytes of content and metadata as text. Pages are cut by it without unpacking what they leave out.
  size integer not null generated always as (octet_length(content::text) + octet_length(metadata::text)) stored
    check (size <= 2097152),
  primary key (conversation_id, seq),
  unique (conversation_id, client_message_id)
);

comment on table public.messages is 'What was said in a conversation, in the order of seq.';

-- Keeps the times of a conversation: updated_at when what it holds changes, expires_at by when it was last touched.
create function public.keep_conversation_times() returns trigger
  language plpgsql security invoker set search_path = ''
as $$
begin
  if tg_op = 'UPDATE'
    and (new.title, new.metadata, new.last_seq) is distinct from (old.title, old.metadata, old.last_seq)
  then
    new.updated_at := clock_timestamp();
    if old.accessed_at < now() - least(interval '1 minute', make_interval(secs => old.ttl_seconds / 12.0)) then
      new.accessed_at := clock_timestamp();
    end if;
  end if;
  new.accessed_at := least(new.accessed_at, clock_timestamp());
  new.expires_at := new.accessed_at + make_interval(secs => new.ttl_seconds);
  return new;
end
$$;

create trigger keep_times before insert or update on public.conversations
  for each row execute function public.keep_conversation_times();

-- Gives a message its seq, under the lock of its conversation: no gap (a rollback gives the number back) and no
-- duplicate. A definer, because nobody may write last_seq themselves; whether the message may be written at all is
-- decided by the row-level security of messages after it.
create function public.number_message() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
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

create trigger number_message before insert on public.messages
  for each row execute function public.number_message();

alter table public.conversations enable row level security;
alter table public.conversations force row level security;
alter table public.messages enable row level security;
alter table public.messages force row level security;

create policy "the server sees and writes all" on public.conversations
  for all to service_role using (true) with check (true);
create policy "users see their own until it expires" on public.conversations
  for select to authenticated
  using (user_id = (select auth.uid()) and (expires_at is null or expires_at > now()));
create policy "users begin their own" on public.conversations
  for insert to authenticated with check (user_id = (select auth.uid()));
create policy "users change their own until it expires" on public.conversations
  for update to authenticated
  using (user_id = (select auth.uid()) and (expires_at is null or expires_at > now()))
  with check (user_id = (select auth.uid()));
create policy "users delete their own" on public.conversations
  for delete to authenticated using (user_id = (select auth.uid()));

create policy "the server sees and writes all" on public.messages
  for all to service_role using (true) with check (true);
create policy "users see those of their own conversations" on public.messages
  for select to authenticated
  using (exists (select from public.conversations c where c.id = conversation_id and c.user_id = (select auth.uid())));
create policy "users write into their own conversations" on public.messages
  for insert to authenticated
  with check (exists (select from public.conversations c where c.id = conversation_id and c.user_id = (select auth.uid())));

revoke all on public.conversations, public.messages from public, anon, authenticated;
grant all on public.conversations, public.messages to service_role;
grant select, delete, insert (user_id, title, metadata, ttl_seconds), update (title, metadata, ttl_seconds, accessed_at)
  on public.conversations to authenticated;
grant select, insert (conversation_id, client_message_id, role, content, metadata)
  on public.messages to authenticated;

-- Begins a conversation of the caller's: a user's own, or the server's.
-- Returns {conversation, expires_in_ms}.
create function public.create_conversation(
  title text default null,
  metadata jsonb default '{}',
  ttl_seconds integer default null
) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  head public.conversations;
begin
  insert into public.conversations as c (title, metadata, ttl_seconds)
    values (create_conversation.title, create_conversation.metadata, create_conversation.ttl_seconds)
    returning c.* into head;
  return json_build_object(
    'conversation', to_json(head),
    'expires_in_ms', floor(extract(epoch from head.expires_at - clock_timestamp()) * 1000)
  );
end
$$;

-- Reads a page of a conversation, and counts as touching it: at most max_messages, and no more than 4 MiB unless one
-- message alone is larger. The newest ones; or the newest before before_seq; or the oldest after after_seq.
-- Returns {status}: 'not_found' (none, expired, or somebody else's); 'unchanged' when last_seq is known_seq, with
-- {conversation, expires_in_ms}; 'found' with {conversation, expires_in_ms, messages, has_earlier, has_later}.
create function public.read_thread(
  conversation_id uuid,
  max_messages integer default 100,
  before_seq integer default null,
  after_seq integer default null,
  known_seq integer default null
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
  select c.* into head from public.conversations c
    where c.id = read_thread.conversation_id and (c.expires_at is null or c.expires_at > now());
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

  if head.last_seq = known_seq then
    return json_build_object(
      'status', 'unchanged',
      'conversation', to_json(head),
      'expires_in_ms', floor(extract(epoch from head.expires_at - clock_timestamp()) * 1000)
    );
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

-- Appends messages, all or none, in their order, behind every message that was acknowledged before.
-- Each is {client_message_id, role, content, metadata}. One that is there already stays as it is, and its seq is
-- returned: whoever is not sure that a message arrived sends it again.
-- Returns {status}: 'not_found'; 'client_message_id_reused' with {client_message_id, seq} when that message says
-- something else; 'conflict' when the last seq is not expected_seq, with {last_seq, missed}; 'appended' with
-- {conversation, expires_in_ms, messages: [{client_message_id, seq, created_at, duplicate}]}.
create function public.append_messages(
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
    where c.id = append_messages.conversation_id and (c.expires_at is null or c.expires_at > now())
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

revoke all on function public.keep_conversation_times(), public.number_message()
  from public, anon, authenticated, service_role;
revoke all on function
  public.create_conversation(text, jsonb, integer),
  public.read_thread(uuid, integer, integer, integer, integer),
  public.append_messages(uuid, jsonb, integer)
  from public, anon;
grant execute on function
  public.create_conversation(text, jsonb, integer),
  public.read_thread(uuid, integer, integer, integer, integer),
  public.append_messages(uuid, jsonb, integer)
  to authenticated, service_role;
