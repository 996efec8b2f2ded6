import { describe, expect, it } from 'vitest';
import { DeltaLog, PiecedText } from '../../../service/chat/answer-text.ts';
import { collected } from '../../support/collected.ts';

describe('text in pieces', () => {
  it('is whole though a character is cut between two of them', () => {
    const text = new PiecedText();
    expect([text.push('a\ud83d'), text.push('\ude00b'), text.end()]).toEqual(['a', '😀b', '']);
    expect(text.text).toBe('a😀b');
    expect(text.bytes).toBe(6);
  });

  it('has a mark where there is what no text can hold', () => {
    const text = new PiecedText();
    expect([text.push('a\0b\udc00'), text.push('\ud83d'), text.end()]).toEqual(['a\ufffdb\ufffd', '', '\ufffd']);
  });

  it('counts bytes as JSON has them', () => {
    const text = new PiecedText();
    text.push('"\n\u0001é');
    expect(text.bytes).toBe(2 + 2 + 6 + 2);
  });
});

describe('the log of deltas', () => {
  const all = async (log: DeltaLog) => collected(log.read());

  it('is the same for whoever comes early and whoever comes late', async () => {
    const log = new DeltaLog();
    const early = all(log);
    log.push('reasoning', 'hm');
    await Promise.resolve();
    log.push('content', 'a');
    await new Promise((resolve) => setImmediate(resolve));
    log.push('content', 'b');
    log.end();
    const late = await all(log);
    expect(late).toEqual([
      { type: 'reasoning', text: 'hm' },
      { type: 'content', text: 'ab' },
    ]);
    const heard = await early;
    expect(heard.map(({ text }) => text).join('')).toBe('hmab');
    expect(heard.at(-1)).toEqual({ type: 'content', text: 'b' });
  });

  it('takes a long answer in small pieces without effort', async () => {
    const log = new DeltaLog();
    const reading = collected(log.read());
    const started = performance.now();
    for (let piece = 0; piece < 100_000; piece += 1) {
      log.push('content', 'abcde');
      if (piece % 2 === 0) await Promise.resolve();
    }
    log.end();
    expect((await reading).map(({ text }) => text).join('')).toHaveLength(500_000);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('gives a slow reader what has piled up as one piece', async () => {
    const log = new DeltaLog();
    const reader = log.read();
    log.push('content', 'a');
    expect((await reader.next()).value).toEqual({ type: 'content', text: 'a' });
    for (const letter of 'bcdef') log.push('content', letter);
    expect((await reader.next()).value).toEqual({ type: 'content', text: 'bcdef' });
    log.end();
    expect((await reader.next()).done).toBe(true);
  });
});
