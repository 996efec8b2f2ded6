import { describe, expect, it } from 'vitest';
import { chooseApiVersion } from '../../../../infra/providers/docker/engine.ts';
import { parseEngineAddress } from '../../../../infra/providers/docker/engine-address.ts';
import { EngineAway, EngineRefusal, explainEngineError } from '../../../../infra/providers/docker/engine-error.ts';
import { dialCommand } from '../../../../infra/providers/docker/ssh-agent.ts';

const ssh = (host: string) => {
  const address = parseEngineAddress(host);
  if (address.kind !== 'ssh') throw new Error(`${host} is not taken for ssh`);
  return address;
};

describe('addresses of engines', () => {
  it('are sockets, other machines over ssh, and tcp', () => {
    expect(parseEngineAddress('unix:///run/docker.sock')).toMatchObject({ kind: 'socket', path: '/run/docker.sock' });
    expect(parseEngineAddress('ssh://me@box:2222')).toMatchObject({
      kind: 'ssh',
      user: 'me',
      host: 'box',
      port: '2222',
    });
    expect(parseEngineAddress('tcp://box:2376')).toMatchObject({ kind: 'tcp', host: 'box', port: 2376 });
  });

  it.each(['', 'docker.sock', 'unix://', 'ssh://', 'ftp://box'])('are not "%s"', (host) => {
    expect(() => parseEngineAddress(host)).toThrow('is not the address of a Docker engine');
  });

  it('hold no password, and the error does not show one', () => {
    expect(() => parseEngineAddress('ssh://me:hunter2@box')).toThrow(/^(?!.*hunter2).*use a key/);
  });
});

it("reaches another machine's engine by the system's ssh, which never asks", () => {
  const alive = ['-o', 'ServerAliveInterval=15', '-o', 'ServerAliveCountMax=3'];
  const common = ['-o', 'ConnectTimeout=30', ...alive, '-o', 'BatchMode=yes', '-T'];
  const dial = ['docker', 'system', 'dial-stdio'];
  expect(dialCommand(ssh('ssh://box'))).toEqual(['ssh', ...common, '--', 'box', ...dial]);
  expect(dialCommand(ssh('ssh://me@box:2222/run/d.sock'), ['-i', 'key'])).toEqual([
    ...['ssh', '-i', 'key', ...common, '-l', 'me', '-p', '2222', '--', 'box'],
    ...['docker', '--host', 'unix:///run/d.sock', 'system', 'dial-stdio'],
  ]);
});

it('speaks the newest version of the API that both know', () => {
  const address = parseEngineAddress('unix:///d.sock');
  expect(chooseApiVersion(address, '1.41', '1.12')).toBe('1.41');
  expect(chooseApiVersion(address, '1.60', '1.44')).toBe('1.51');
  expect(() => chooseApiVersion(address, '1.39', '1.12')).toThrow('is too old');
  expect(() => chooseApiVersion(address, '1.60', '1.55')).toThrow('is too new');
});

describe('errors', () => {
  const address = parseEngineAddress('unix:///d.sock');
  const system = (code: string) => Object.assign(new Error(`connect ${code} /d.sock`), { code });

  it.each([
    ['ENOENT', 'systemctl start docker'],
    ['ECONNREFUSED', 'systemctl start docker'],
    ['EACCES', 'usermod -aG docker'],
    ['ECONNRESET', 'stopped or restarted'],
  ])('say what to do about %s', (code, remedy) => {
    const explained = explainEngineError(system(code), address);
    expect(explained).toBeInstanceOf(EngineAway);
    expect(explained.message).toContain('unix:///d.sock');
    expect(explained.message).toContain(remedy);
  });

  it("keep the engine's own words for what it refuses", () => {
    const refused = Object.assign(new Error('(HTTP code 409) unexpected - Conflict. '), {
      statusCode: 409,
      json: { message: 'Conflict. The name is in use' },
    });
    const explained = explainEngineError(refused, address);
    expect(explained).toBeInstanceOf(EngineRefusal);
    expect(explained).toMatchObject({ statusCode: 409, message: 'Conflict. The name is in use' });
  });
});
