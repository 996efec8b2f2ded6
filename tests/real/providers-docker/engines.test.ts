import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectEngine } from '../../../infra/providers/docker/engine.ts';
import { baseImage } from '../../support/containers.ts';
import { create, engine, Share } from './docker-provider.ts';

const share = new Share();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'engines-'));
});
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  await share.end();
  await rm(folder, { recursive: true });
});

/** An `ssh` that is this machine: it writes down how it was called, and dials this machine's engine. */
async function pretendSsh(script: string): Promise<string> {
  const calls = join(folder, 'calls');
  const ssh = join(folder, 'ssh');
  await writeFile(ssh, `#!/bin/sh\necho "$@" >>'${calls}'\n${script}\n`);
  await chmod(ssh, 0o755);
  vi.stubEnv('PATH', [folder, process.env.PATH].join(delimiter));
  return calls;
}

const dialStdio = `exec '${process.execPath}' -e "
  const socket = require('node:net').connect('/var/run/docker.sock');
  process.stdin.pipe(socket).pipe(process.stdout);"`;

describe('an engine over ssh', () => {
  it('does all that a local one does, over few connections', async () => {
    await pretendSsh(dialStdio);
    const containers = await share.provider('container', { host: 'ssh://me@far', sshOpts: '["-v"]' });
    const made = await create(containers, {
      name: share.name('far'),
      image: baseImage(),
      entrypoints: ['sh', '-c', 'cat /run/hello; sleep 60'],
      uploads: [{ file: '/run/hello', content: 'from far\n' }],
      healthcheck: { tests: ['CMD', 'test', '-e', '/run/hello'], interval: '200ms' },
      labels: share.labels,
      wait: true,
    });
    expect((await engine.getContainer(made.id).inspect()).State.Health?.Status).toBe('healthy');
    const log = async () => (await engine.getContainer(made.id).logs({ stdout: true })).toString('utf8');
    await vi.waitFor(async () => expect(await log()).toContain('from far'));
    await containers.delete(made.id, made.outputs);
  });

  it('many at once are served by a few connections', async () => {
    const calls = await pretendSsh(dialStdio);
    await writeFile(calls, '');
    const docker = await connectEngine('ssh://many@far');
    const answers = await Promise.all(Array.from({ length: 40 }, () => docker.ping()));
    expect(answers).toHaveLength(40);
    const started = (await readFile(calls, 'utf8')).trim().split('\n');
    expect(started.length).toBeLessThanOrEqual(8);
    expect(started[0]).toBe(
      '-o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=3 -o BatchMode=yes -T -l many -- far docker system dial-stdio',
    );
  });

  it('does not keep a program from ending that has asked it something', async () => {
    await pretendSsh(dialStdio);
    const module = join(import.meta.dirname, '../../../infra/providers/docker/engine.ts');
    const program = `const { connectEngine } = await import('${module}'); await (await connectEngine('ssh://me@far')).ping();`;
    const ended = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 30_000 });
    await expect(ended).resolves.toMatchObject({ stdout: '' });
  });

  it('that does not let one in: the words of ssh, and what to try', async () => {
    await pretendSsh('echo "me@far: Permission denied (publickey)." >&2; exit 255');
    await expect(connectEngine('ssh://denied@far')).rejects.toThrow(
      /ssh:\/\/denied@far can't be reached(.|\n)*ssh -v denied@far(.|\n)*Permission denied \(publickey\)/,
    );
  });
});

describe('an engine that is away', () => {
  const away = 'unix:///no/such/docker.sock';
  const details = expect.stringMatching(
    /the Docker engine at unix:\/\/\/no\/such\/docker.sock is not running.*systemctl start docker/,
  );

  it.each(['container', 'network', 'volume', 'remoteImage'] as const)('leaves a %s in the state', async (type) => {
    const provider = await share.provider(type, { host: away });
    const inputs = { name: 'x', image: 'y' };
    await expect(provider.read('id', { inputs, outputs: inputs })).rejects.toMatchObject({ details });
    await expect(provider.delete('id', inputs)).rejects.toMatchObject({ details });
    await expect(provider.create(inputs)).rejects.toMatchObject({ details });
  });

  it('does not keep a preview from being made', async () => {
    const containers = await share.provider('container', { host: away });
    const { inputs, failures } = await containers.check({ name: 'x', image: 'y' });
    expect(failures).toEqual({});
    expect(await containers.diff({ inputs }, inputs)).toMatchObject({ changes: 1 });
    expect((await containers.create(inputs, { preview: true })).outputs).toMatchObject({ name: 'x' });
  });

  it('is asked again once it is back', async () => {
    const path = join(folder, 'd.sock');
    await expect(connectEngine(`unix://${path}`)).rejects.toThrow('is not running');
    const answer = '{"ApiVersion":"1.41","MinAPIVersion":"1.12"}';
    const server = createServer((socket) =>
      socket.end(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${answer.length}\r\nconnection: close\r\n\r\n${answer}`,
      ),
    );
    await new Promise<void>((resolve) => server.listen(path, resolve));
    await expect(connectEngine(`unix://${path}`)).resolves.toBeDefined();
    server.close();
  });

  it('may be something else altogether', async () => {
    const path = join(folder, 'other.sock');
    const server = createServer((socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi'),
    );
    await new Promise<void>((resolve) => server.listen(path, resolve));
    await expect(connectEngine(`unix://${path}`)).rejects.toThrow('is not a Docker engine');
    server.close();
  });
});

it('refuses tcp without TLS: everyone on the network would be root', async () => {
  vi.stubEnv('DOCKER_CERT_PATH', '');
  await expect(connectEngine('tcp://127.0.0.1:2375')).rejects.toThrow('needs TLS');
});
