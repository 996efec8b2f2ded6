import { describe, expect, it } from 'vitest';
import { isSshFailure, sshFailure } from '../../../ssh/failure.ts';
import { nameOf, sshTarget } from '../../../ssh/target.ts';

const box = { host: 'box', user: 'deploy' };
const changed = `@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
Host key for box has changed and you have requested strict checking.
Host key verification failed.`;

describe('what ssh says, in words with a remedy', () => {
  it.each([
    ['a changed host key', changed, /not the one that it had before.*\nCompare.*ssh-keygen -R box/],
    ['an unknown host', 'Host key verification failed.', /not known here yet.*\nLog in once by hand.*ssh deploy@box/],
    ['a wrong key', 'deploy@box: Permission denied (publickey).', /any of the keys.*\n.*ssh -v deploy@box.*of deploy/],
    ['no such name', 'ssh: Could not resolve hostname box: Name or service not known', /no such machine/],
    ['no sshd', 'ssh: connect to host box port 22: Connection refused', /nothing listens.*port 22/],
    ['silence', 'ssh: connect to host box port 22: Connection timed out', /does not answer/],
    [
      'silence midway',
      'Timeout, server box not responding.',
      /does not answer.*\nOnce this works.*ssh deploy@box true/,
    ],
    ['no Docker', 'bash: line 1: docker: command not found', /not installed there.*\nnpm run box -- prepare/],
    [
      'no group',
      'Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock',
      /group docker.*\n.*usermod -aG docker deploy/,
    ],
    ['no engine', 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.', /systemctl start docker/],
    ['a full sshd', 'kex_exchange_identification: Connection closed by remote host', /MaxStartups/],
  ])('%s', (_what, said, words) => {
    expect(isSshFailure(said)).toBe(true);
    expect(sshFailure(said, box).message).toMatch(words);
    expect(sshFailure(said, box).message).toContain(said.split('\n').at(-1));
  });

  it('keeps the words of what it does not know', () => {
    expect(isSshFailure('Error: No such container: x')).toBe(false);
    expect(sshFailure('something new', { host: 'box', port: '2222' }).message).toMatch(
      /ssh to box failed: something new\nTry by hand: ssh -p 2222 box true/,
    );
  });
});

it('takes the machine out of the address of an engine', () => {
  expect(sshTarget('ssh://deploy@box:2222')).toEqual({ host: 'box', user: 'deploy', port: '2222' });
  expect(sshTarget('ssh://box')).toEqual({ host: 'box', user: undefined, port: undefined });
  expect(sshTarget('unix:///var/run/docker.sock')).toBeUndefined();
  expect(sshTarget(undefined)).toBeUndefined();
  expect(nameOf({ host: 'box' })).toBe('box');
});
