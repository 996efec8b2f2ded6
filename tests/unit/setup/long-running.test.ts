import { expect, it } from 'vitest';
import { UnderWay } from '../../../scripts/test/long-running.ts';

it('names what has been under way for a minute, and no longer once it has ended', () => {
  const underWay = new UnderWay();
  underWay.begin('a.test.ts > hangs', 0);
  underWay.begin('b.test.ts (beforeAll)', 45_000);
  expect(underWay.lines(59_000)).toEqual([]);
  expect(underWay.lines(60_000)).toEqual(['… a.test.ts > hangs: under way for 1 min 00 s']);
  expect(underWay.lines(120_000)).toHaveLength(2);
  underWay.end('a.test.ts > hangs');
  expect(underWay.lines(120_000)).toEqual(['… b.test.ts (beforeAll): under way for 1 min 15 s']);
});
