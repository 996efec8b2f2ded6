import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dockerEndpoint, ping } from '../../../scripts/setup/docker-endpoint.mjs';
import { type Kit, linkedTool, linkTool, openKit, ownTools } from '../../../scripts/setup/kit.mjs';
import type { Job, Step } from '../../../scripts/setup/step-runner.mjs';
import { dockerEngine } from '../../../scripts/setup/steps/docker-engine.mjs';
import { imageSource } from '../../../scripts/setup/steps/image-source.mjs';
import { state } from '../../../scripts/setup/steps/state.mjs';
import { temporaryFolder } from './folder.ts';

function kitIn(root: string, env: NodeJS.ProcessEnv = {}): Kit {
  return openKit(root, { PATH: process.env.PATH, HOME: root, ...env });
}

async function runStep(step: Step, kit: Kit): Promise<string[]> {
  mkdirSync(kit.temporary, { recursive: true });
  const said: string[] = [];
  const job: Job = {
    log: join(kit.root, 'log'),
    signal: new AbortController().signal,
    say: (text) => void said.push(text),
    tool: () => Promise.reject(new Error('this step should need no tool here')),
    temporaryFolder: () => mkdtempSync(join(kit.temporary, 'step-')),
  };
  await step.run(kit, job);
  return said;
}

/** Something that answers on a socket like a Docker engine. */
async function engine(answers: Record<string, { status: number; body?: string; api?: string }>): Promise<string> {
  const socket = join(temporaryFolder(), 'engine.sock');
  const server = createServer(({ url }, response) => {
    const { status, body = '', api = '1.41' } = answers[url ?? ''] ?? { status: 404 };
    response.writeHead(status, { 'Api-Version': api, Server: 'Docker/20.10.24 (linux)' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onTestFinished(() => void server.close());
  return `unix://${socket}`;
}

describe('the state of the stacks', () => {
  it('gets a folder, and a passphrase that only its owner can read', async () => {
    const kit = kitIn(temporaryFolder());
    expect(await state.check(kit)).toBeUndefined();
    await runStep(state, kit);
    expect(await state.check(kit)).toBe('in .kit/state');
    expect(statSync(kit.passphrase).mode & 0o777).toBe(0o600);
    expect(readFileSync(kit.passphrase, 'utf8')).toMatch(/^[\w-]{43}$/);
  });

  it('keeps its passphrase', async () => {
    const kit = kitIn(temporaryFolder());
    await runStep(state, kit);
    const before = readFileSync(kit.passphrase, 'utf8');
    await runStep(state, kit);
    expect(readFileSync(kit.passphrase, 'utf8')).toBe(before);
  });

  it('gets no other passphrase where there are stacks that need the one that is gone', async () => {
    const kit = kitIn(temporaryFolder());
    await runStep(state, kit);
    rmSync(kit.passphrase);
    mkdirSync(join(kit.state, '.pulumi', 'stacks', 'conversation-kit'), { recursive: true });
    writeFileSync(join(kit.state, '.pulumi', 'stacks', 'conversation-kit', 'local.json'), '{}');
    await expect(runStep(state, kit)).rejects.toThrow(/passphrase is gone/);
  });

  it('is the person’s own affair where they have set it', async () => {
    const kit = kitIn(temporaryFolder(), { PULUMI_BACKEND_URL: 's3://mine', PULUMI_CONFIG_PASSPHRASE: '' });
    expect(await state.check(kit)).toBe('where PULUMI_BACKEND_URL says');
  });
});

describe('the Docker engine', () => {
  it('is the one that answers', async () => {
    const kit = kitIn(temporaryFolder(), { DOCKER_HOST: await engine({ '/_ping': { status: 200, body: 'OK' } }) });
    expect(await dockerEngine.check(kit)).toBe('20.10.24, DOCKER_HOST');
  });

  it('is refused when it is too old', async () => {
    const old = await engine({ '/_ping': { status: 200, body: 'OK', api: '1.38' } });
    const kit = kitIn(temporaryFolder(), { DOCKER_HOST: old });
    expect(await dockerEngine.check(kit)).toBeUndefined();
    await expect(runStep(dockerEngine, kit)).rejects.toThrow(/too old \(API 1.38/);
  });

  it('is not replaced by another one when the one that was chosen does not answer', async () => {
    const kit = kitIn(temporaryFolder(), { DOCKER_HOST: 'unix:///nowhere/docker.sock' });
    await expect(runStep(dockerEngine, kit)).rejects.toThrow(/\(DOCKER_HOST\) does not answer: .*ENOENT/);
  });

  it('does not keep us waiting when it hangs', async () => {
    const socket = join(temporaryFolder(), 'engine.sock');
    const server = createServer(() => undefined).listen(socket);
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    expect(await ping(`unix://${socket}`, { timeout: 50 })).toEqual({
      state: 'silent',
      reason: 'no answer within 0.05 s',
    });
  });

  it('is that of the current context, for client libraries that know none, too', () => {
    const root = temporaryFolder();
    const hash = '26f8567f2569182294c3fa5b9f9cb2270b554eef628b4c149cf82a42888ff4ae'; // SHA-256 of "box"
    const ownEngine = { host: 'unix:///var/run/docker.sock', origin: 'default' };
    expect(dockerEndpoint({ HOME: root })).toEqual(ownEngine);
    const meta = join(root, '.docker', 'contexts', 'meta', hash);
    mkdirSync(meta, { recursive: true });
    writeFileSync(join(root, '.docker', 'config.json'), JSON.stringify({ currentContext: 'box' }));
    expect(dockerEndpoint({ HOME: root })).toEqual(ownEngine); // the context has no description
    writeFileSync(join(meta, 'meta.json'), JSON.stringify({ Endpoints: { docker: { Host: 'ssh://me@box' } } }));
    expect(dockerEndpoint({ HOME: root })).toEqual({ host: 'ssh://me@box', origin: 'Docker context box' });
    expect(dockerEndpoint({ HOME: root, DOCKER_CONTEXT: 'default' })).toEqual(ownEngine);
    expect(dockerEndpoint({ HOME: root, DOCKER_HOST: 'tcp://x:1' })).toEqual({
      host: 'tcp://x:1',
      origin: 'DOCKER_HOST',
    });
  });
});

describe('where images come from', () => {
  const found = { '/distribution/redis:latest/json': { status: 200, body: '{}' } };
  const unreachable = {
    '/distribution/redis:latest/json': { status: 500, body: '{"message":"lookup registry: no such host"}' },
  };

  it('is the registry where the engine reaches one, and that is remembered', async () => {
    const root = temporaryFolder();
    const kit = kitIn(root, { DOCKER_HOST: await engine(found) });
    expect(imageSource.check(kit)).toBeUndefined();
    expect(await runStep(imageSource, kit)).toEqual([]);
    expect(imageSource.check(kitIn(root))).toBe('registry');
  });

  it('is this machine where it does not, which is said', async () => {
    const kit = kitIn(temporaryFolder(), { DOCKER_HOST: await engine(unreachable) });
    const said = await runStep(imageSource, kit);
    expect(said.join()).toMatch(/no such host.*fallback/);
    expect(imageSource.check(kit)).toBe('local');
  });

  it('is what the person says, from then on', async () => {
    const root = temporaryFolder();
    await runStep(imageSource, kitIn(root, { DOCKER_HOST: await engine(unreachable) }));
    const wanted = kitIn(root, { KIT_IMAGES: 'registry' });
    expect(imageSource.check(wanted)).toBeUndefined();
    await runStep(imageSource, wanted);
    expect(imageSource.check(kitIn(root))).toBe('registry');
    await expect(runStep(imageSource, kitIn(root, { KIT_IMAGES: 'cloud' }))).rejects.toThrow('KIT_IMAGES is "cloud"');
  });
});

describe('links to tools', () => {
  it('survive the checkout being moved, and a tool that is gone is seen', () => {
    const root = temporaryFolder();
    const kit = kitIn(join(root, 'before'));
    const program = join(kit.toolchain, 'node-1', 'node');
    mkdirSync(join(kit.toolchain, 'node-1'), { recursive: true });
    writeFileSync(program, '');
    linkTool(kit, 'node', program);
    expect(linkedTool(kit, 'node')).toBe(program);
    symlinkSync(join(root, 'before'), join(root, 'after'));
    expect(linkedTool(kitIn(join(root, 'after')), 'node')).toBe(program);
    rmSync(program);
    expect(linkedTool(kit, 'node')).toBeUndefined();
  });

  it('never make the kit take its own tools for the machine’s', () => {
    const root = temporaryFolder();
    const machine = join(root, 'bin');
    mkdirSync(machine);
    writeFileSync(join(machine, 'pulumi'), '');
    chmodSync(join(machine, 'pulumi'), 0o755);
    const kit = kitIn(root, { PATH: `${root}/.kit/bin:${root}/node_modules/.bin:${machine}:/usr/bin` });
    linkTool(kit, 'pulumi', join(machine, 'pulumi'));
    expect(ownTools(kit, 'pulumi')).toEqual([join(machine, 'pulumi')]);
  });
});
