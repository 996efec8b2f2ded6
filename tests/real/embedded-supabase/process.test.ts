import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@supabase/supabase-js';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { freePort, startPostgres, type TestPostgres } from '../../support/containers.ts';
import { eventually, settingsFor } from './support.ts';

/** The process as it runs in its image: one bundled file, set up by its environment alone. */
interface Running {
  readonly process: ChildProcess;
  /** Everything it has written so far. */
  output(): string;
  readonly ended: Promise<number | null>;
}

let server: TestPostgres;
let directory: string;
let environment: Record<string, string>;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  server = await startPostgres();
  directory = await mkdtemp(join(tmpdir(), 'embedded-supabase-process-'));
  await build({
    entryPoints: ['embedded-supabase/main.ts', 'embedded-supabase/healthcheck.ts'],
    outdir: directory,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    legalComments: 'none',
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    logLevel: 'error',
  });
  const settings = settingsFor(server, join(directory, 'storage'));
  const secrets = {
    DATABASE_PASSWORD_FILE: settings.database.password,
    JWT_SECRET_FILE: settings.jwtSecret,
    PUBLISHABLE_KEY_FILE: settings.publishableKey,
    SECRET_KEY_FILE: settings.secretKey,
  };
  await mkdir(join(directory, 'secrets'));
  environment = {
    HOST: '127.0.0.1',
    PORT: String(await freePort()),
    DATABASE_HOST: server.host,
    DATABASE_PORT: String(server.port),
    STORAGE_DIR: settings.storageDirectory,
    LOG_LEVEL: 'debug',
  };
  for (const [name, value] of Object.entries(secrets)) {
    environment[name] = join(directory, 'secrets', name);
    await writeFile(environment[name], `${value}\n`);
  }
  Object.assign(environment, { secretKey: settings.secretKey });
});

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

afterAll(async () => {
  await server?.stop();
  if (directory !== undefined) await rm(directory, { recursive: true, force: true });
});

function run(file: string, env: Record<string, string>): Running {
  const { secretKey: _, ...rest } = env;
  const child = spawn(process.execPath, [join(directory, file)], { env: rest, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      output += part;
    });
  }
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child);
    return code;
  });
  return { process: child, output: () => output, ended };
}

const base = () => `http://127.0.0.1:${environment.PORT}`;
const healthcheck = () => run('healthcheck.mjs', environment).ended;
const healthStatus = () =>
  fetch(`${base()}/health`).then(
    ({ status }) => status,
    () => 0,
  );
const untilReady = () => eventually(healthStatus).toBe(200);

test('a wrong environment is listed in full, and no secret is shown', async () => {
  await writeFile(join(directory, 'secrets', 'short'), 'too-short-a-secret');
  const broken = { ...environment, PORT: '123456', MAX_FILE_SIZE: 'big', LOG_LEVEL: 'loud', SITE_URL: 'here' };
  const { ended, output } = run('main.mjs', {
    ...broken,
    JWT_SECRET_FILE: join(directory, 'secrets', 'short'),
    SECRET_KEY_FILE: join(directory, 'secrets', 'short'),
    PUBLISHABLE_KEY_FILE: '/nowhere/key',
  });
  expect(await ended).toBe(2);
  for (const name of [
    'PORT',
    'MAX_FILE_SIZE',
    'LOG_LEVEL',
    'SITE_URL',
    'JWT_SECRET_FILE',
    'SECRET_KEY_FILE',
    'PUBLISHABLE_KEY_FILE',
  ]) {
    expect(output()).toContain(`  - ${name} `);
  }
  expect(output()).toContain('/nowhere/key');
  expect(output()).not.toContain('too-short-a-secret');
});

test('it serves, tells its health, and stops in time with what is under way answered', async () => {
  expect(await healthcheck()).toBe(1);
  const supabase = run('main.mjs', environment);
  await untilReady();
  expect(await healthcheck()).toBe(0);

  const client = createClient(base(), environment.secretKey ?? '');
  expect((await client.storage.createBucket('b')).error).toBeNull();
  expect((await client.auth.signUp({ email: 'a@example.com', password: 'correct horse' })).error).toBeNull();
  const upload = request(`${base()}/storage/v1/object/b/slow`, {
    method: 'POST',
    headers: { apikey: environment.secretKey, 'content-type': 'text/plain', 'content-length': 8 },
  });
  const answered = once(upload, 'response');
  upload.write('half');
  await eventually(() => readdir(join(directory, 'storage', 'incoming'))).toHaveLength(1);

  const asked = performance.now();
  supabase.process.kill('SIGTERM');
  await eventually(() => supabase.output()).toContain('"stopping"');
  upload.end('half');
  const [response] = await answered;
  expect(response.statusCode).toBe(200);
  const finished = performance.now();
  expect(await supabase.ended).toBe(0);
  expect(performance.now() - asked).toBeLessThan(5_000);
  expect(performance.now() - finished).toBeLessThan(2_000);
});

test('its log is JSON, line by line, without a secret or a token in it', async () => {
  const supabase = run('main.mjs', environment);
  await untilReady();
  const key = environment.secretKey ?? '';
  const client = createClient(base(), key);
  const { data } = await client.auth.signInWithPassword({ email: 'a@example.com', password: 'correct horse' });
  await fetch(`${base()}/rest/v1/nothing?apikey=${key}`);
  await client.auth.resetPasswordForEmail('a@example.com');
  await client.from('nothing').insert({ text: 'x' });
  supabase.process.kill('SIGTERM');
  await supabase.ended;
  const lines = supabase.output().trim().split('\n');
  expect(lines.map((line) => JSON.parse(line)).every((entry) => typeof entry.level === 'number')).toBe(true);
  for (const secret of [
    key,
    server.password,
    'correct horse',
    data.session?.access_token,
    data.session?.refresh_token,
  ]) {
    expect(secret).toBeTruthy();
    expect(supabase.output()).not.toContain(secret);
  }
});

test('a second process on the same port says so and ends', async () => {
  const first = run('main.mjs', environment);
  await untilReady();
  const second = run('main.mjs', environment);
  expect(await second.ended).toBe(1);
  expect(second.output()).toContain('EADDRINUSE');
  first.process.kill('SIGTERM');
  await first.ended;
});

test('PostgreSQL killed again and again does not end the process', async () => {
  const supabase = run('main.mjs', environment);
  await untilReady();
  const client = createClient(base(), environment.secretKey ?? '');
  let asking = true;
  const ask = async () => {
    while (asking) await client.storage.listBuckets();
  };
  const asked = Array.from({ length: 16 }, ask);
  for (let round = 0; round < 3; round += 1) {
    await server.kill();
    await server.restart();
    await untilReady();
  }
  asking = false;
  await Promise.all(asked);
  expect(supabase.process.exitCode).toBeNull();
  supabase.process.kill('SIGTERM');
  expect(await supabase.ended).toBe(0);
});

test('told to stop while it waits for PostgreSQL, it stops', async () => {
  const supabase = run('main.mjs', { ...environment, DATABASE_PORT: String(await freePort()) });
  await eventually(() => supabase.output()).toContain('not there yet');
  supabase.process.kill('SIGTERM');
  expect(await supabase.ended).toBe(0);
});

test('a wrong password ends it with the reason', async () => {
  const path = join(directory, 'secrets', 'wrong');
  await writeFile(path, 'wrong');
  const supabase = run('main.mjs', { ...environment, DATABASE_PASSWORD_FILE: path });
  expect(await supabase.ended).toBe(1);
  expect(supabase.output()).toContain('DATABASE_');
  expect(supabase.output()).toContain('28P01');
});
