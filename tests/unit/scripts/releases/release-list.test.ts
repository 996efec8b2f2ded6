import { expect, test } from 'vitest';
import { failureOf, type ListedRelease, releaseTable } from '../../../../scripts/releases/release-list.ts';
import { updateOf } from './sample-updates.ts';

test('an update has the failure of the deploy that made it, and of no other', () => {
  const failed = new Map([['20260401_093000-12', 'the smoke tests failed']]);
  const made = (message: string) => failureOf(updateOf(1, 'a', { message }), failed);
  expect(made('deploy 20260401_093000-12 by ada')).toBe('the smoke tests failed');
  expect(made('deploy 20260401_093000-1 by ada')).toBeUndefined();
  expect(made('Rollback to update 1, release a')).toBeUndefined();
});

test('people see which releases can be gone back to, and why not', () => {
  const release: ListedRelease = {
    number: 1,
    at: '2026-04-01T09:30:00.000Z',
    message: 'by hand',
    release: 'aaaaaaaaaa',
    commit: null,
    schemaHead: null,
    live: false,
    refusals: [],
    failure: null,
    changes: null,
  };
  const shown = releaseTable([
    { ...release, number: 4, live: true },
    { ...release, number: 3, failure: 'the smoke tests failed:\nnobody answers' },
    { ...release, number: 2, refusals: ['an image is gone'] },
    release,
  ]);
  const lines = shown.split('\n').map((line) => line.trim().replace(/\s+/g, ' '));
  expect(lines.find((line) => line.startsWith('4 '))).toContain('– live by hand');
  expect(lines.find((line) => line.startsWith('3 '))).toContain('– failed by hand');
  expect(shown).toContain('✗ it failed: the smoke tests failed:');
  expect(shown).not.toContain('nobody answers'); // a log has room for that
  expect(lines.find((line) => line.startsWith('2 '))).toContain('– no by hand');
  expect(shown).toContain('✗ an image is gone');
  expect(lines.find((line) => line.startsWith('1 '))).toContain('– yes by hand');
});
