import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { duration } from '../../../scripts/setup/duration.mjs';
import { createProgress } from '../../../scripts/setup/progress.mjs';

function display(live: boolean) {
  const written: string[] = [];
  const stream = { columns: 60, write: (text: string) => written.push(text) };
  return { progress: createProgress(stream, { live }), text: () => written.join('') };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('where nobody watches', () => {
  it('prints plain lines, and a sign of life from a long step', async () => {
    const { progress, text } = display(false);
    progress.started('Pulumi CLI', '1/2', 'a Pulumi that is new enough');
    progress.said('Pulumi CLI', 'building it from source: a fallback');
    progress.line('Pulumi CLI', '\x1b[32mcompiling\x1b[0m runtime');
    await vi.advanceTimersByTimeAsync(31_000);
    progress.finished('Pulumi CLI', 'v3.250.0');
    await vi.advanceTimersByTimeAsync(120_000);
    expect(text()).toBe(
      [
        '▸ 1/2 Pulumi CLI: a Pulumi that is new enough',
        '! Pulumi CLI: building it from source: a fallback',
        '… 1/2 Pulumi CLI, 30.0 s: compiling runtime',
        '✓ 1/2 Pulumi CLI: v3.250.0 (31.0 s)',
        '',
      ].join('\n'),
    );
  });

  it('tells a step that failed from one that was stopped because of it', () => {
    const { progress, text } = display(false);
    progress.started('a', '1/2', '');
    progress.started('b', '2/2', '');
    progress.ended('a', 'failed');
    progress.ended('b', 'stopped');
    expect(text()).toMatch(/✗ 1\/2 a: failed after 0 ms\n✗ 2\/2 b: stopped after 0 ms\n$/);
  });
});

describe('in a terminal', () => {
  it('redraws the running steps below what stays, none longer than a line', async () => {
    const { progress, text } = display(true);
    progress.started('a', '1/2', 'first');
    progress.started('b', '2/2', 'second');
    progress.line('b', 'x'.repeat(500));
    await vi.advanceTimersByTimeAsync(2000);
    progress.finished('a', 'done');
    progress.close();
    const widths = stripVTControlCharacters(text())
      .split('\n')
      .map((line) => line.length);
    expect(Math.max(...widths)).toBeLessThan(60);
    expect(text()).toContain('  2/2 b, 2 s: xxx');
    expect(text()).toContain('\x1b[2A\x1b[0J');
    expect(text().endsWith('\x1b[1A\x1b[0J')).toBe(true);
  });
});

it.each([
  [0, '0 ms'],
  [850, '850 ms'],
  [12_340, '12.3 s'],
  [59_970, '1 min 00 s'],
  [245_000, '4 min 05 s'],
])('%i milliseconds are %s', (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text);
});
