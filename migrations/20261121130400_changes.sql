-- What has changed, for a service that keeps copies and tells others: whoever made the change, also around the service.
--
-- Each change is noted under its transaction id, in that transaction. A reader comes back with the snapshot that it
-- saw last, and gets what was not visible in it: a change that commits late is not missed, and none comes twice.
--
-- Both tables are unlogged. They cost no write-ahead log; and after a crash, when transaction ids may be given out
-- again, they are empty, by which a reader notices that it has to begin anew.

create unlogged table public.conversation_changes (
  transaction_id xid8 not null default pg_current_xact_id(),
  conversation_id uuid not null,
  -- More than messages that were appended.
  altered boolean not null default false,
  -- Messages were changed or removed by hand, which shows in nothing else.
  rewritten boolean not null default false,
  primary key (transaction_id, conversation_id)
);

comment on table public.conversation_changes is 'Which conversations a transaction has changed. Kept for some minutes.';

create unlogged table public.change_feed (
  is_here boolean primary key default true check (is_here),
  -- Another one: what was noted before is lost.
  epoch uuid not null default gen_random_uuid(),
  -- Notes of transactions before this one were removed.
  pruned_before xid8 not null default '0',
  -- All transactions before this one had ended at marked_at.
  marked xid8 not null default pg_snapshot_xmin(pg_current_snapshot()),
  marked_at timestamptz not null default now()
);

comment on table public.change_feed is 'How far back conversation_changes goes: one row, made by the first reader.';

alter table public.conversation_changes enable row level security;
alter table public.conversation_changes force row level security;
alter table public.change_feed enable row level security;
alter table public.change_feed force row level security;
create policy "the server sees and writes all" on public.conversation_changes
  for all to service_role using (true) with check (true);
create policy "the server sees and writes all" on public.change_feed
  for all to service_role using (true) with check (true);
revoke all on public.conversation_changes, public.change_feed from public, anon, authenticated;
grant all on public.conversation_changes, public.change_feed to service_role;

-- A definer, because users have no part in these notes. Argument: whether more than messages were appended.
create function public.note_change() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.conversation_changes as noted (conversation_id, altered) values (old.id, tg_argv[0]::boolean)
    on conflict (transaction_id, conversation_id) do update set altered = true
    where excluded.altered and not noted.altered;
  return null;
end
$$;

create trigger note_append after update on public.conversations
  for each row when (new.last_seq <> old.last_seq) execute function public.note_change('false');
-- That it was read is no change: it only lives longer than whoever has a copy knows.
create trigger note_change after update on public.conversations
  for each row when (
    (new.user_id, new.title, new.metadata, new.cleared_seq, new.ttl_seconds, new.deleted_at)
      is distinct from (old.user_id, old.title, old.metadata, old.cleared_seq, old.ttl_seconds, old.deleted_at)
    or new.accessed_at < old.accessed_at
  ) execute function public.note_change('true');
create trigger note_removal after delete on public.conversations
  for each row execute function public.note_change('true');

-- What other triggers do to messages follows from a change of their conversation, and is noted with that.
create function public.note_rewritten_messages() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  if pg_trigger_depth() = 1 then
    insert into public.conversation_changes as noted (conversation_id, altered, rewritten)
      select distinct m.conversation_id, true, true from old_messages m
      on conflict (transaction_id, conversation_id) do update set altered = true, rewritten = true;
  end if;
  return null;
end
$$;

create trigger note_update after update on public.messages
  referencing old table as old_messages for each statement execute function public.note_rewritten_messages();
create trigger note_removal after delete on public.messages
  referencing old table as old_messages for each statement execute function public.note_rewritten_messages();

create function public.note_truncation() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  delete from public.change_feed;
  return null;
end
$$;

create trigger note_truncation after truncate on public.conversations
  for each statement execute function public.note_truncation();
create trigger note_truncation after truncate on public.messages
  for each statement execute function public.note_truncation();

-- What has changed since the cursor of an earlier answer. Returns {cursor, complete, changes}; `complete` is false when
-- that can't be told, and everything may have changed: without a cursor, with one that is older than some minutes or
-- from before a crash, and when there is more than max_changes. Each change is {conversation_id, altered, rewritten,
-- conversation}, with the conversation as it is now, or null: {last_seq, cleared_seq, ttl_seconds, updated_at,
-- accessed_at, deleted_at}.
create function public.changes_since(known_cursor text default null, max_changes integer default 1000) returns json
  language plpgsql volatile security invoker set search_path = ''
as $$
declare
  feed public.change_feed;
  known constant pg_snapshot := split_part(known_cursor, '@', 2);
  answer json;
begin
  select f.* into feed from public.change_feed f;
  if not found then
    insert into public.change_feed default values on conflict do nothing;
  elsif feed.marked_at < now() - interval '10 minutes' then
    -- One reader of many does this. Nobody who reads every few minutes needs what was noted before the mark.
    update public.change_feed f set
        pruned_before = f.marked, marked = pg_snapshot_xmin(pg_current_snapshot()), marked_at = now()
      where f.marked_at = feed.marked_at;
    if found then
      delete from public.conversation_changes n where n.transaction_id < feed.marked;
    end if;
  end if;

  -- One statement, so that the cursor is the snapshot in which the changes were looked for.
  with state as (
    select
      f.epoch,
      pg_current_snapshot() as seen,
      coalesce(
        f.epoch::text = split_part(known_cursor, '@', 1)
          and pg_snapshot_xmin(known) >= f.pruned_before
          and pg_snapshot_xmax(known) <= pg_snapshot_xmax(pg_current_snapshot()),
        false
      ) as complete
    from public.change_feed f
  ), noted as (
    select n.conversation_id, bool_or(n.altered) as altered, bool_or(n.rewritten) as rewritten
    from public.conversation_changes n
    where (select s.complete from state s)
      and n.transaction_id >= pg_snapshot_xmin(known) and not pg_visible_in_snapshot(n.transaction_id, known)
    group by n.conversation_id
    limit max_changes + 1
  ), summary as (
    select s.epoch, s.seen, s.complete and (select count(*) from noted) <= max_changes as complete from state s
  )
  select json_build_object(
    'cursor', s.epoch || '@' || s.seen,
    'complete', s.complete,
    'changes', coalesce((
      select json_agg(json_build_object(
        'conversation_id', n.conversation_id,
        'altered', n.altered,
        'rewritten', n.rewritten,
        'conversation', case when c.id is not null then json_build_object(
          'last_seq', c.last_seq, 'cleared_seq', c.cleared_seq, 'ttl_seconds', c.ttl_seconds,
          'updated_at', c.updated_at, 'accessed_at', c.accessed_at, 'deleted_at', c.deleted_at
        ) end
      ))
      from noted n left join public.conversations c on c.id = n.conversation_id
      where s.complete
    ), '[]')
  ) into answer from summary s;
  return answer;
end
$$;

revoke all on function
  public.note_change(), public.note_rewritten_messages(), public.note_truncation()
  from public, anon, authenticated, service_role;
revoke all on function public.changes_since(text, integer) from public, anon, authenticated;
grant execute on function public.changes_since(text, integer) to service_role;
