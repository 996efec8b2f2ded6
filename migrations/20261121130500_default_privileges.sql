-- What is made in public from now on is not open to anonymous requests from the start: Supabase grants everything new to
-- anon, and leaves the rest to row-level security. Users get what a migration grants them, as before.
alter default privileges in schema public revoke all on tables from anon;
alter default privileges in schema public revoke all on sequences from anon;
alter default privileges in schema public revoke all on functions from anon;
