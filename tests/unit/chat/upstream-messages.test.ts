import { describe, expect, it } from 'vitest';
import { fitted, type Turn } from '../../../service/chat/upstream-messages.ts';

const much = 1_000_000;
const turn = (role: Turn['role'], content: Turn['content'], metadata = {}): Turn => ({ role, content, metadata });
const call = (id: string) => ({ id, type: 'function', function: { name: 'look', arguments: '{}' } });

describe('turns for an upstream', () => {
  it('are the messages, in their order', () => {
    const turns = [turn('system', 'be brief'), turn('user', 'a'), turn('assistant', 'b'), turn('user', 'c')];
    expect(fitted(turns, much)).toEqual({
      dropped: 0,
      messages: [
        { role: 'system', content: 'be brief' },
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b' },
        { role: 'user', content: 'c' },
      ],
    });
  });

  it('have the parts that upstreams know, with the fields that they know', () => {
    const parts = [
      { type: 'text', text: 'look', shown: true },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AA', alt: 'a dot' }, width: 3 },
      { type: 'widget', id: 7 },
    ];
    expect(fitted([turn('user', parts)], much).messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'look' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AA' } },
        ],
      },
    ]);
    const others = [
      turn('assistant', [
        { type: 'text', text: 'one' },
        { type: 'text', text: 'two' },
      ]),
      turn('user', 'x'),
    ];
    expect(fitted(others, much).messages[0]).toEqual({ role: 'assistant', content: 'one\ntwo' });
  });

  it('leave out what says nothing to an upstream, and count it', () => {
    const turns = [
      turn('user', [{ type: 'widget' }]),
      turn('assistant', ''),
      turn('tool', 'a result of nothing'),
      turn('user', 'x'),
    ];
    expect(fitted(turns, much)).toEqual({ dropped: 3, messages: [{ role: 'user', content: 'x' }] });
  });

  it('have calls of tools with their results', () => {
    const turns = [
      turn('assistant', '', { tool_calls: [call('1'), call('2')] }),
      turn('tool', 'first', { tool_call_id: '1' }),
      turn('tool', 'second', { tool_call_id: '2' }),
      turn('user', 'and now?'),
    ];
    expect(fitted(turns, much).messages).toEqual([
      { role: 'assistant', content: null, tool_calls: [call('1'), call('2')] },
      { role: 'tool', content: 'first', tool_call_id: '1' },
      { role: 'tool', content: 'second', tool_call_id: '2' },
      { role: 'user', content: 'and now?' },
    ]);
  });

  it('have no call without all of its results, and no result without its call', () => {
    const turns = [
      turn('tool', 'cut off from its call', { tool_call_id: '0' }),
      turn('assistant', 'let me see', { tool_calls: [call('1'), call('2')] }),
      turn('tool', 'first', { tool_call_id: '1' }),
      turn('user', 'and now?'),
    ];
    expect(fitted(turns, much)).toEqual({
      dropped: 2,
      messages: [
        { role: 'assistant', content: 'let me see' },
        { role: 'user', content: 'and now?' },
      ],
    });
  });

  it('that are too much lose the oldest first, never the system message or the question', () => {
    const turns = [
      turn('system', 'be brief'),
      ...Array.from({ length: 10 }, (_, index) => turn('user', `${index}${'x'.repeat(99)}`)),
      turn('user', 'the question'),
    ];
    const { messages, dropped } = fitted(turns, 500);
    expect(messages.map(({ content }) => String(content).slice(0, 12))).toEqual([
      'be brief',
      '7xxxxxxxxxxx',
      '8xxxxxxxxxxx',
      '9xxxxxxxxxxx',
      'the question',
    ]);
    expect(dropped).toBe(7);
    expect(JSON.stringify(messages).length).toBeLessThan(500);
    expect(fitted(turns, 1).messages.map(({ content }) => content)).toEqual(['be brief', 'the question']);
  });
});
