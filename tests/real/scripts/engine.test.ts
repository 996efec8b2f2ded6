import { expect, test } from 'vitest';
import { docker } from '../../../scripts/engine.ts';

test('a command for an engine gives what it prints', async () => {
  expect((await docker(undefined, 'version', '--format', '{{.Server.Os}}')).stdout.trim()).toBe('linux');
});

test('what Docker complains of is told without its stack', async () => {
  await expect(docker(undefined, 'inspect', 'no-such-thing')).rejects.toThrow(
    /^docker inspect failed: .*No such object: no-such-thing$/,
  );
});

test('a box that does not let one in is told as ssh has it, with what mends it', async () => {
  await expect(docker('ssh://nobody@127.0.0.1:1', 'ps')).rejects.toThrow(
    /^ssh to nobody@127\.0\.0\.1 failed: .+\n(.|\n)*ssh said:\n {2}ssh: connect to host 127\.0\.0\.1 port 1: Connection refused/,
  );
});
