import { describe, expect, it } from 'vitest';
import { databaseConnection } from '../../../scripts/deploy/postgres-copy.ts';
import { snapshotState } from '../../../scripts/deploy/redis-copy.ts';
import { superfluous } from '../../../scripts/deploy/safety-copies.ts';

describe('safety copies', () => {
  it('are seven, the newest, and what is no copy is left alone', () => {
    const copies = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((day) => `2026040${day}_120000`);
    expect(superfluous([...copies.reverse(), '.in-progress', 'before-the-move', '20260301'])).toEqual([
      '20260401_120000',
      '20260402_120000',
    ]);
    expect(superfluous(copies.slice(0, 7))).toEqual([]);
  });

  it('of a hosted database show the password to nobody but its own file', () => {
    const { connection, passwordLine } = databaseConnection('postgres://post%3Agres:p%40ss%3Aword@[::1]:6543/db');
    expect(connection).toEqual(['--host=::1', '--port=6543', '--username=post:gres', '--no-password', '--dbname=db']);
    expect(passwordLine).toBe('\\:\\:1:6543:db:post\\:gres:p@ss\\:word');
  });

  it('say nothing of an address that is none', () => {
    expect(() => databaseConnection('hunter2')).toThrow(/^((?!hunter2).)*$/);
  });

  it('of Redis wait for a snapshot that began after they asked', () => {
    expect(
      snapshotState('# Persistence\r\nrdb_bgsave_in_progress:1\r\nrdb_last_bgsave_status:ok\r\nrdb_saves:12\r\n'),
    ).toEqual({ saves: 12, isSaving: true, isLastGood: true });
  });
});
