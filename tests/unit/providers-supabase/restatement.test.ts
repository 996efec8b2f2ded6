import { expect, it } from 'vitest';
import { restatements } from '../../../infra/providers/supabase/security-audit/restatement.ts';

const own = 'policy "own" on public.notes';
const create = 'create policy own on notes for select to authenticated using (user_id = auth.uid())';
const stated = (applied: string[], ...names: string[]) => Object.fromEntries(restatements(new Set(names), applied));

it('makes a policy again as the last migration that made it said, with what was altered since', () => {
  const earlier = 'create policy own on public.notes using (false)';
  const drop = 'drop policy own on public.notes';
  const alter = 'alter policy own on public.notes to authenticated, service_role';
  expect(stated([earlier, drop, create, alter], own)).toEqual({
    [own]: ['drop policy if exists "own" on public.notes', create, alter],
  });
});

it('leaves out a policy that migrations dropped, and what nobody asked for', () => {
  expect(stated([create, 'drop policy if exists own on notes'], own)).toEqual({});
  expect(stated([create], 'policy "other" on public.notes')).toEqual({});
});

it('switches row-level security as the migrations did, and repeats nothing else of them', () => {
  const on = '-- why\nalter table notes enable row level security';
  const forced = 'alter table public.notes force row level security';
  const both = 'alter table notes add column row_level_security int, enable row level security';
  expect(stated([on, both, forced], 'table public.notes')).toEqual({ 'table public.notes': [on, forced] });
});

it('knows names that need quotes', () => {
  const name = 'policy "the ""server"" sees all" on storage."My Objects"';
  const text = 'create policy "the ""server"" sees all" on storage."My Objects" to service_role using (true)';
  expect(stated([text], name)[name]).toEqual([`drop policy if exists ${name.slice(7)}`, text]);
});
