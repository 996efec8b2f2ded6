import { ReplyError } from 'ioredis';
import { expect, it } from 'vitest';
import { createLogger } from '../../../service/logger.ts';

const canary = 'what-somebody-wrote';

function logged(error: unknown): string {
  const lines: string[] = [];
  const log = createLogger({ level: 'info', releaseId: 'r1' }, { write: (line) => void lines.push(line) });
  log.error({ err: error }, 'it failed');
  return lines.join('');
}

it('logs an error with its type, code, place and cause', () => {
  const cause = Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });
  const line = JSON.parse(logged(new TypeError('the record is away', { cause })));
  expect(line).toMatchObject({
    level: 'error',
    release_id: 'r1',
    msg: 'it failed',
    err: {
      type: 'TypeError',
      message: 'the record is away',
      cause: { code: 'ECONNREFUSED', message: 'connect refused' },
    },
  });
  expect(line.err.at[0]).toMatch(/logger\.test\.ts/);
});

it('leaves out the command of a Redis error', () => {
  const error = Object.assign(new ReplyError('OOM command not allowed'), {
    command: { name: 'evalsha', args: [canary] },
  });
  expect(logged(new Error('outer', { cause: error }))).not.toContain(canary);
});

it('leaves out the text that is no JSON', () => {
  let error: unknown;
  try {
    JSON.parse(`{"${canary}`);
    JSON.parse(canary);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(SyntaxError);
  expect(logged(error)).not.toContain(canary.slice(0, 6));
});

it('leaves out what was thrown and is no error', () => {
  expect(logged(canary)).not.toContain(canary);
});
