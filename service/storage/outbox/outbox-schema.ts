export const outboxSchemaVersion = 1;

/**
 * What is in the outbox. Times are milliseconds since 1970, but for leases: those count from when the machine started.
 * `head` and `message` are JSON: a conversation as its owner was told of it, and a message as it is appended.
 */
export const outboxSchema = `
  -- Conversations of which something waits.
  create table conversations (
    id text primary key,
    user_id text,
    head text not null,
    ttl_seconds real,
    -- 1: the record is yet to hear of the conversation itself.
    is_new integer not null,
    -- When it expires, by what was said to the outbox; null: never.
    alive_until integer,
    queued_at integer not null
  ) strict;
  create index conversations_queued_at on conversations (queued_at);
  create index conversations_user_id on conversations (user_id);

  -- In the order in which they were acknowledged. Those of one append are stored together or not at all.
  create table messages (
    position integer primary key autoincrement,
    conversation_id text not null references conversations (id) on delete cascade,
    append_id text not null,
    client_message_id text not null,
    message text not null,
    acknowledged_at integer not null,
    unique (conversation_id, client_message_id)
  ) strict;
  create index messages_conversation_id on messages (conversation_id, position);

  -- What the record did not take: waits for a person.
  create table refused (
    id integer primary key autoincrement,
    conversation_id text not null,
    user_id text,
    head text not null,
    ttl_seconds real,
    is_new integer not null,
    code text not null,
    messages text not null,
    message_count integer not null,
    acknowledged_at integer not null,
    refused_at integer not null
  ) strict;
  create index refused_user_id on refused (user_id);

  create table leases (name text primary key, owner text not null, deadline integer not null) strict;

  -- Records that were reached from here. The digest tells whether the key is still the same.
  create table reached (url text not null, key_digest text not null, primary key (url, key_digest)) strict;
`;
