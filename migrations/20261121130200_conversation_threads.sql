-- Documents that tools keep between their calls: one JSON object for each thread id, opaque here, with a time to live.

create table public.conversation_threads (
  -- Null: the server's own, and seen by no user.
  user_id uuid default auth.uid() references auth.users (id) on delete cascade,
  thread_id text not null check (thread_id ~ '^[A-Za-z0-9._:~-]{1,200}$'),
  document jsonb not null check (jsonb_typeof(document) = 'object'),
  -- How long it lives after it was last put; reading does not count.
  ttl_seconds integer not null check (ttl_seconds between 1 and 315360000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  expires_at timestamptz not null default now(),
  constraint conversation_threads_size_check check (octet_length(document::text) <= 2097152),
  constraint conversation_threads_key unique nulls not distinct (user_id, thread_id)
);

comment on table public.conversation_threads is 'A JSON document for each thread of a tool; it ends at expires_at.';

create index conversation_threads_expires_at_idx on public.conversation_threads (expires_at);

-- Nobody sets the times themselves.
create function public.keep_thread_times() returns trigger
  language plpgsql security invoker set search_path = ''
as $$
begin
  if tg_op = 'UPDATE' and old.expires_at > clock_timestamp() then
    new.created_at := old.created_at;
  else
    new.created_at := clock_timestamp();
  end if;
  new.updated_at := clock_timestamp();
  new.expires_at := new.updated_at + make_interval(secs => new.ttl_seconds);
  return new;
end
$$;

create trigger keep_times before insert or update on public.conversation_threads
  for each row execute function public.keep_thread_times();

alter table public.conversation_threads enable row level security;
alter table public.conversation_threads force row level security;

create policy "the server sees and writes all" on public.conversation_threads
  for all to service_role using (true) with check (true);
-- Expired ones, too: whoever puts a thread again has to reach what is left of it. get_thread leaves them out.
create policy "users reach their own" on public.conversation_threads
  for all to authenticated using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

revoke all on public.conversation_threads from public, anon, authenticated;
grant all on public.conversation_threads to service_role;
grant select, delete, insert (user_id, thread_id, document, ttl_seconds), update (document, ttl_seconds)
  on public.conversation_threads to authenticated;

-- Keeps the document of a thread of the caller's, a user's own or the server's, in place of the one that is there, for
-- ttl_seconds from now. Returns {thread_id, created_at, updated_at, expires_at}.
create function public.put_thread(thread_id text, document jsonb, ttl_seconds integer) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  thread public.conversation_threads;
begin
  insert into public.conversation_threads as t (thread_id, document, ttl_seconds)
    values (put_thread.thread_id, put_thread.document, put_thread.ttl_seconds)
    on conflict on constraint conversation_threads_key
      do update set document = excluded.document, ttl_seconds = excluded.ttl_seconds
    returning t.* into thread;
  return (to_jsonb(thread) - '{user_id, document, ttl_seconds}'::text[])::json;
end
$$;

-- Returns {status}: 'not_found' (none, expired, or somebody else's), or 'found' with {thread}: {thread_id, document,
-- created_at, updated_at, expires_at}.
create function public.get_thread(thread_id text) returns json
  language plpgsql stable security invoker set search_path = ''
as $$
declare
  thread public.conversation_threads;
begin
  select t.* into thread from public.conversation_threads t
    where t.thread_id = get_thread.thread_id and t.user_id is not distinct from auth.uid()
      and t.expires_at > clock_timestamp();
  if not found then
    return '{"status": "not_found"}';
  end if;
  return json_build_object('status', 'found', 'thread', to_jsonb(thread) - '{user_id, ttl_seconds}'::text[]);
end
$$;

-- Returns {status}: 'not_found', or 'deleted'.
create function public.delete_thread(thread_id text) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  thread public.conversation_threads;
begin
  delete from public.conversation_threads t
    where t.thread_id = delete_thread.thread_id and t.user_id is not distinct from auth.uid()
    returning t.* into thread;
  return json_build_object(
    'status', case when thread.expires_at > clock_timestamp() then 'deleted' else 'not_found' end
  );
end
$$;

-- Removes threads that have expired, at most max_threads. Passes over what somebody puts at this moment.
-- Returns {removed}: how many there were.
create function public.clean_up_threads(max_threads integer default 1000) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  removed integer;
begin
  delete from public.conversation_threads t
    where t.ctid = any (array(
      select d.ctid from public.conversation_threads d
      where d.expires_at <= now() order by d.expires_at limit max_threads for update skip locked
    ));
  get diagnostics removed = row_count;
  return json_build_object('removed', removed);
end
$$;

-- Removes all threads of a user. Returns {removed}.
create function public.erase_threads(user_id uuid) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  removed integer;
begin
  delete from public.conversation_threads t where t.user_id = erase_threads.user_id;
  get diagnostics removed = row_count;
  return json_build_object('removed', removed);
end
$$;

revoke all on function public.keep_thread_times() from public, anon, authenticated, service_role;
revoke all on function public.clean_up_threads(integer) from public, anon, authenticated;
grant execute on function public.clean_up_threads(integer) to service_role;
revoke all on function
  public.put_thread(text, jsonb, integer),
  public.get_thread(text),
  public.delete_thread(text),
  public.erase_threads(uuid)
  from public, anon;
grant execute on function
  public.put_thread(text, jsonb, integer),
  public.get_thread(text),
  public.delete_thread(text),
  public.erase_threads(uuid)
  to authenticated, service_role;

-- Hourly, where the database can do that by itself. Elsewhere the service does it; both at once do no harm.
do $$
begin
  if exists (select from pg_catalog.pg_extension where extname = 'pg_cron') then
    perform cron.schedule('conversation-kit: clean up threads', '27 * * * *', 'select public.clean_up_threads(100000)');
  end if;
end
$$;
