-- Search over what was said, and over titles. Words are compared as they stand, in any language: the configuration is
-- `simple`, which knows neither stems nor stop words. So that `run` finds `running`, a word finds what begins with it.
--
-- The indexes, in the files behind this one, are over expressions. A column with the words would make the table three
-- times as large, and would go to every client that reads messages or hears of them over Realtime.

-- The text of a message: itself, or what its parts have as their `text`. Of a longer one the first 131,072 characters:
-- the words of a text have to fit into a megabyte.
create function public.message_text(content jsonb) returns text
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  if jsonb_typeof(content) = 'string' then
    return left(content #>> '{}', 131072);
  end if;
  return left((
    select string_agg(p.part ->> 'text', E'\n' order by p.position)
    from jsonb_array_elements(content) with ordinality as p (part, position)
    where jsonb_typeof(p.part -> 'text') = 'string'
  ), 131072);
end
$$;

-- The words of a text. PostgreSQL's parser takes `<string>` for markup and `a/b.ts` for one word; here each is words.
create function public.words_of(said text) returns tsvector
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return to_tsvector('pg_catalog.simple'::regconfig, translate(said, '</', '  '));
end
$$;

-- Its cost is stated: the planner is not to look through a table with it.
create function public.message_words(content jsonb) returns tsvector
  language plpgsql immutable parallel safe security invoker cost 1000 set search_path = ''
as $$
begin
  return public.words_of(coalesce(public.message_text(content), ''));
end
$$;

-- What somebody typed, as a query: words that all have to be there, "a phrase", or, -not. It takes anything. A word finds
-- what begins with it, but for those of a phrase and those that are excluded. Of more than 20 words the first 20 have to
-- be there, and that is all. Null when nothing is left to look for.
create function public.search_query(query text) returns tsquery
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
declare
  parsed constant text := websearch_to_tsquery(
    'pg_catalog.simple'::regconfig, translate(left(query, 1000), '</', '  ')
  )::text;
  result tsquery;
begin
  select case when count(*) <= 20
      then string_agg(
        o.before || o.word || case when o.before ~ '(!|> )$' or o.behind ~ '^ <' then '' else ':*' end,
        '' order by o.position
      ) || substring(parsed from '[^'']*$')
      else string_agg(distinct o.word || ':*', ' & ') filter (where o.position <= 20)
    end
    into result
    from (
      select m.found[1] as before, m.found[2] as word, m.position, lead(m.found[1]) over (order by m.position) as behind
      from regexp_matches(parsed, '([^'']*)(''(?:[^''\\]|''''|\\\\)*'')', 'g') with ordinality as m (found, position)
    ) o;
  -- 'T': nothing but exclusions, which nearly everything fits.
  return case when querytree(result) not in ('', 'T') then result end;
end
$$;

-- Any of the words of a query, but for those that it excludes. By this one, what fits is ranked and highlighted: with a
-- phrase, or with many words that all have to be there, either would take seconds for one message of some thousand words.
create function public.any_word(words tsquery) returns tsquery
  language plpgsql immutable parallel safe security invoker set search_path = ''
as $$
begin
  return (
    select string_agg(distinct m.found[1], ' | ')
    from regexp_matches(
      regexp_replace(words::text, '!\( [^)]*\)|!''(?:[^''\\]|''''|\\\\)*''', '', 'g'),
      '''(?:[^''\\]|''''|\\\\)*''(?::\*)?', 'g'
    ) as m (found)
  )::tsquery;
end
$$;

-- What fits a query, newest first: at most 500 messages and titles (seq 0), and no more than 2 MiB of them; with its score
-- (0 to 1,000,000). Those of one owner; null: of all. `more`: there are others behind the oldest of these; they follow
-- with its created_at, conversation_id and seq as behind_….
create function public.all_matches(
  words tsquery,
  owner uuid,
  within_id uuid,
  said_by text,
  from_time timestamptz,
  to_time timestamptz,
  behind_time timestamptz,
  behind_id uuid,
  behind_seq integer
) returns table (conversation_id uuid, seq integer, created_at timestamptz, score integer, more boolean)
  language plpgsql stable security invoker rows 500 set search_path = ''
as $$
#variable_conflict use_column
declare
  ranking constant tsquery := public.any_word(words);
begin
  return query
  select w.conversation_id, w.seq, w.created_at,
    round(1e6 * ts_rank(
      case when w.seq = 0 then setweight(public.words_of(w.title), 'A')
        else public.message_words(w.content) end,
      ranking, 1
    ))::integer,
    w.total > count(*) over ()
  from (
    select l.*, count(*) over () as total, row_number() over newest as place, sum(l.size) over newest - l.size as bytes_before
    from (
      (
        select m.conversation_id, m.seq, m.created_at, m.size, m.content, null::text as title
        from public.messages m join public.conversations c on c.id = m.conversation_id
        where public.message_words(m.content) @@ words
          and (owner is null or c.user_id = owner)
          and c.deleted_at is null and (c.expires_at is null or c.expires_at > now()) and m.seq > c.cleared_seq
          and (within_id is null or m.conversation_id = within_id)
          and (said_by is null or m.role = said_by)
          and (from_time is null or m.created_at >= from_time) and (to_time is null or m.created_at < to_time)
          and (behind_time is null or (m.created_at, m.conversation_id, m.seq) < (behind_time, behind_id, behind_seq))
        order by m.created_at desc, m.conversation_id desc, m.seq desc limit 501
      )
      union all
      (
        select c.id, 0, c.created_at, 0, null, c.title
        from public.conversations c
        where c.title is not null and public.words_of(c.title) @@ words
          and said_by is null
          and (owner is null or c.user_id = owner)
          and c.deleted_at is null and (c.expires_at is null or c.expires_at > now())
          and (within_id is null or c.id = within_id)
          and (from_time is null or c.created_at >= from_time) and (to_time is null or c.created_at < to_time)
          and (behind_time is null or (c.created_at, c.id, 0) < (behind_time, behind_id, behind_seq))
        order by c.created_at desc, c.id desc limit 501
      )
    ) l
    window newest as (order by l.created_at desc, l.conversation_id desc, l.seq desc)
  ) w
  where w.place <= 500 and w.bytes_before < 2 * 1024 * 1024
  order by w.created_at desc, w.conversation_id desc, w.seq desc;
end
$$;

-- The same for a user: their own, whoever calls. A definer, because PostgreSQL uses no such index below row-level
-- security: the operator is not marked leakproof, so it would have to look at each message of the user. What is found
-- here are places; what stands there is read under the user's own rights, below.
create function public.own_matches(
  words tsquery,
  within_id uuid,
  said_by text,
  from_time timestamptz,
  to_time timestamptz,
  behind_time timestamptz,
  behind_id uuid,
  behind_seq integer
) returns table (conversation_id uuid, seq integer, created_at timestamptz, score integer, more boolean)
  language plpgsql stable security definer rows 500 set search_path = ''
as $$
begin
  if auth.uid() is not null then
    return query select * from public.all_matches(
      words, auth.uid(), within_id, said_by, from_time, to_time, behind_time, behind_id, behind_seq
    );
  end if;
end
$$;

-- A passage of a text with those of the words that are in it between U+0002 and U+0003, which are taken out of the text itself. Of a
-- long text it looks at 8,192 characters, from where the first of the words stands. `<` and `/` are out of the way
-- for as long as the parser looks: see words_of.
create function public.search_snippet(said text, words tsquery) returns text
  language plpgsql stable security invoker set search_path = ''
as $$
declare
  first_word constant text := substring(words::text from '''((?:[^''\\]|''''|\\\\)*)''');
  begins constant integer := greatest(strpos(lower(said), replace(first_word, '''''', '''')) - 200, 1);
begin
  return left(
    translate(
      ts_headline(
        'pg_catalog.simple'::regconfig,
        translate(substr(said, begins, 8192), E'</\u0001\u0002\u0003\u0004', E'\u0001\u0004'),
        words,
        E'StartSel=\u0002, StopSel=\u0003, MaxWords=30, MinWords=10, ShortWord=0, MaxFragments=2, FragmentDelimiter=" … "'
      ),
      E'\u0001\u0004', '</'
    ),
    2000
  );
end
$$;

-- Finds messages and titles that fit a query (see search_query), the best first among the newest 500, then the best
-- among the next 500, and so on. A user's own in any case; the server's: all, or those of user_id.
-- Returns {hits: [{conversation_id, title, seq, role, created_at, score, snippet}], cursor}. seq and role are null where
-- the title fits. snippet is as search_snippet has it. cursor, given back, brings the next page; null: that was all.
create function public.search_messages(
  query text,
  max_hits integer default 20,
  conversation_id uuid default null,
  role text default null,
  from_time timestamptz default null,
  to_time timestamptz default null,
  user_id uuid default null,
  cursor jsonb default null
) returns json
  language plpgsql stable security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  words constant tsquery := public.search_query(query);
  highlighted constant tsquery := public.any_word(words);
  behind constant jsonb := cursor -> 'behind';
  below constant jsonb := cursor -> 'below';
  matches jsonb;
  page jsonb;
  hits json;
  next jsonb;
begin
  if words is null then
    return '{"hits": [], "cursor": null}';
  end if;

  if current_user = 'service_role' then
    select jsonb_agg(to_jsonb(m)) into matches from public.all_matches(
      words, search_messages.user_id, search_messages.conversation_id, search_messages.role, from_time, to_time,
      (behind ->> 'created_at')::timestamptz, (behind ->> 'conversation_id')::uuid, (behind ->> 'seq')::integer
    ) m;
  else
    select jsonb_agg(to_jsonb(m)) into matches from public.own_matches(
      words, search_messages.conversation_id, search_messages.role, from_time, to_time,
      (behind ->> 'created_at')::timestamptz, (behind ->> 'conversation_id')::uuid, (behind ->> 'seq')::integer
    ) m
    where search_messages.user_id is null or search_messages.user_id = auth.uid();
  end if;

  select jsonb_agg(to_jsonb(b) order by b.score desc, b.created_at desc, b.conversation_id desc, b.seq desc) into page
  from (
    select m.conversation_id, m.seq, m.created_at, m.score
    from jsonb_to_recordset(coalesce(matches, '[]'))
      as m (conversation_id uuid, seq integer, created_at timestamptz, score integer)
    where below is null or (m.score, m.created_at, m.conversation_id, m.seq) < (
      (below ->> 'score')::integer, (below ->> 'created_at')::timestamptz,
      (below ->> 'conversation_id')::uuid, (below ->> 'seq')::integer
    )
    order by m.score desc, m.created_at desc, m.conversation_id desc, m.seq desc limit max_hits + 1
  ) b;

  if jsonb_array_length(page) > max_hits then
    page := page - max_hits;
    next := jsonb_build_object('behind', behind, 'below', page -> -1);
  elsif (matches #>> '{-1, more}')::boolean then
    next := jsonb_build_object('behind', (matches -> -1) - '{score, more}'::text[]);
  end if;

  select json_agg(
    json_build_object(
      'conversation_id', c.id,
      'title', c.title,
      'seq', m.seq,
      'role', m.role,
      'created_at', p.created_at,
      'score', p.score,
      'snippet', public.search_snippet(case when p.seq = 0 then c.title else public.message_text(m.content) end, highlighted)
    ) order by p.score desc, p.created_at desc, p.conversation_id desc, p.seq desc
  ) into hits
  from jsonb_to_recordset(coalesce(page, '[]'))
    as p (conversation_id uuid, seq integer, created_at timestamptz, score integer)
  join public.conversations c on c.id = p.conversation_id
  left join public.messages m on m.conversation_id = p.conversation_id and m.seq = p.seq
  where p.seq = 0 or m.seq is not null;
  return json_build_object('hits', coalesce(hits, '[]'), 'cursor', next);
end
$$;

revoke all on function
  public.message_text(jsonb),
  public.message_words(jsonb),
  public.words_of(text),
  public.search_query(text),
  public.any_word(tsquery),
  public.search_snippet(text, tsquery),
  public.all_matches(tsquery, uuid, uuid, text, timestamptz, timestamptz, timestamptz, uuid, integer),
  public.own_matches(tsquery, uuid, text, timestamptz, timestamptz, timestamptz, uuid, integer),
  public.search_messages(text, integer, uuid, text, timestamptz, timestamptz, uuid, jsonb)
  from public, anon, authenticated;
grant execute on function
  public.all_matches(tsquery, uuid, uuid, text, timestamptz, timestamptz, timestamptz, uuid, integer)
  to service_role;
-- Whoever writes a message computes its words.
grant execute on function
  public.message_text(jsonb),
  public.message_words(jsonb),
  public.words_of(text),
  public.search_query(text),
  public.any_word(tsquery),
  public.search_snippet(text, tsquery),
  public.own_matches(tsquery, uuid, text, timestamptz, timestamptz, timestamptz, uuid, integer),
  public.search_messages(text, integer, uuid, text, timestamptz, timestamptz, uuid, jsonb)
  to authenticated, service_role;
