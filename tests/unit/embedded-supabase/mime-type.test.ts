import { expect, test } from 'vitest';
import { isMimeTypeAllowed, isMimeTypeRule } from '../../../embedded-supabase/storage/mime-type.ts';

test.each([
  ['image/png', ['image/*'], true],
  ['IMAGE/PNG', ['image/*'], true],
  ['image/svg+xml', ['image/svg+xml'], true],
  ['text/plain; charset=utf-8', ['text/plain'], true],
  ['application/vnd.ms-excel', ['application/*'], true],
  ['anything/at-all', ['*/*'], true],
  ['imagery/png', ['image/*'], false],
  ['image', ['image/*'], false],
  ['image/png', ['image/jpeg', 'text/*'], false],
  ['image/png', [], false],
])('%s under %j: %s', (type, rules, allowed) => {
  expect(isMimeTypeAllowed(type, rules)).toBe(allowed);
});

test.each([
  ['image/*', true],
  ['application/pdf', true],
  ['image/svg+xml', true],
  ['*/*', true],
  ['image', false],
  ['*/png', false],
  ['image/p*', false],
  ['image/png; q=1', false],
  ['', false],
])('"%s" as a rule: %s', (rule, valid) => {
  expect(isMimeTypeRule(rule)).toBe(valid);
});
