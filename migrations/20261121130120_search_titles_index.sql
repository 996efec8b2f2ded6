-- migrate: no-transaction

-- Conversations are updated with every message; their titles are not, so these updates leave this index alone.
create index concurrently conversations_title_words_idx on public.conversations
  using gin (public.words_of(title)) where title is not null;
