import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startRecord, startTestRedis } from '../real/service/servers.ts';
import { install } from '../real/service/service-process.ts';
import { startChatUpstream } from '../support/chat-upstream.ts';
import { pythonEnvironment } from '../support/python-environment.ts';

const usage = `npm run fuzz -- [options]

Starts the service on real servers and sends it what its OpenAPI document allows and what it forbids. No reply may be a
5xx, or one that the document does not describe.

  --as <who>       user (default) or server
  --examples <n>   100: requests for each operation and phase
  --seed <n>       that of an earlier run
  --only <regex>   operations with such a path
  --help

Exit: 0 nothing found, 1 something was.`;

const { values } = parseArgs({
  options: {
    as: { type: 'string', default: 'user' },
    examples: { type: 'string', default: '100' },
    seed: { type: 'string' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(usage);
else process.exitCode = await fuzz();

async function fuzz(): Promise<number> {
  const tools = await pythonEnvironment('fuzz-python', join(import.meta.dirname, 'requirements.txt'));
  const [record, redis, model, directory] = await Promise.all([
    startRecord(),
    startTestRedis(),
    startChatUpstream(),
    mkdtemp(join(tmpdir(), 'fuzz-')),
  ]);
  const installation = await install(
    { ...record.settings, redisPassword: redis.settings.password },
    { supabase: record.settings.url, redis: redis.settings.url },
  );
  try {
    const upstreams = join(directory, 'upstreams.json');
    await writeFile(upstreams, model.file(), { mode: 0o600 });
    const unlimited = { RATE_LIMIT_USER: '0', RATE_LIMIT_SERVER: '0', RATE_LIMIT_FAILED: '0' };
    const service = await installation.start({ ...unlimited, CHAT_UPSTREAMS_FILE: upstreams });
    const token = values.as === 'server' ? record.settings.secretKey : (await record.signUp()).token;
    const code = await schemathesis(tools, service.url, token);
    const { exitCode } = await service.stop();
    if (exitCode !== 0) console.error(`the service ended with ${exitCode}:\n${service.output().slice(-5_000)}`);
    return code === 0 && exitCode === 0 ? 0 : 1;
  } finally {
    await installation.remove();
    await Promise.all([record.close(), redis.stop(), model.close(), rm(directory, { recursive: true, force: true })]);
  }
}

async function schemathesis(tools: string, url: string, token: string): Promise<number> {
  const choices = [
    ['--max-examples', values.examples],
    ['--seed', values.seed],
    ['--include-path-regex', values.only],
  ].flatMap(([name, value]) => (name === undefined || value === undefined ? [] : [name, value]));
  const args = [
    '--config-file',
    join(import.meta.dirname, 'schemathesis.toml'),
    'run',
    `${url}/openapi.json`,
    '--continue-on-failure',
    '--generation-database',
    'none',
    '--no-color',
    ...choices,
  ];
  const child = spawn(join(tools, 'schemathesis'), args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    cwd: tmpdir(),
    env: {
      PATH: process.env.PATH,
      FUZZ_TOKEN: token,
      SCHEMATHESIS_HOOKS: join(import.meta.dirname, 'json_lines.py'),
      PYTHONDONTWRITEBYTECODE: '1',
    },
  });
  const [code] = await once(child, 'exit');
  return typeof code === 'number' ? code : 1;
}
