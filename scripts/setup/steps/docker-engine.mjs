import { spawn } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { installPackages, systemEnvironment } from '../apt.mjs';
import { installedBundle } from '../bundle.mjs';
import { askTool } from '../child-process.mjs';
import { dockerEndpoint, ping } from '../docker-endpoint.mjs';
import { SetupError } from '../setup-error.mjs';
import { isAtLeast } from '../version.mjs';

/**
 * @import { Kit } from '../kit.mjs'
 * @import { Job, Step } from '../step-runner.mjs'
 * @import { DockerEndpoint, EngineAnswer } from '../docker-endpoint.mjs'
 */

/** API of Docker 20.10, the oldest engine that Debian and Ubuntu still ship. */
const minimumApi = '1.41';
const startTime = 60_000;
const joinGroup = 'sudo usermod -aG docker "$USER" && newgrp docker';

/**
 * A Docker engine: the one that answers, else Debian's, started by the init system where there is one, else by us.
 *
 * @type {Step}
 */
export const dockerEngine = {
  name: 'Docker engine',
  about: 'a Docker engine that answers',
  disk: () => [{ what: 'Docker’s packages', path: '/usr', bytes: 0.5e9 }],

  async check(kit) {
    const endpoint = dockerEndpoint(kit.env);
    const answer = await askEngine(kit, endpoint);
    return answer.state === 'answers' && isAtLeast(answer.api, minimumApi) ? describe(answer, endpoint) : undefined;
  },

  async run(kit, job) {
    const endpoint = dockerEndpoint(kit.env);
    const answer = await askEngine(kit, endpoint);
    if (answer.state === 'answers' && isAtLeast(answer.api, minimumApi)) return;
    const problem = endpointProblem(endpoint, answer);
    if (problem) throw problem;
    if (!findDaemon(kit)) {
      await installPackages(kit, job, ['docker.io', 'iptables', ...(installedBundle(kit) ? ['git'] : [])], {
        why: 'no Docker engine answers and none is installed',
        alsoDo: joinGroup,
      });
      // Its package starts it where an init system runs.
      if ((await ping(endpoint.host)).state === 'answers') return;
    }
    await start(kit, job, endpoint);
  },
};

/**
 * What is wrong with an engine that we must not mend ourselves.
 *
 * @param {DockerEndpoint} endpoint
 * @param {EngineAnswer} answer
 * @returns {SetupError | undefined}
 */
export function endpointProblem({ host, origin }, answer) {
  if (answer.state === 'answers') {
    return new SetupError(
      `The Docker engine at ${host} is too old (API ${answer.api || 'unknown'}, ${minimumApi} is needed)`,
      {
        remedy: 'Update it to Docker 20.10 or newer: https://docs.docker.com/engine/install',
      },
    );
  }
  if (answer.state === 'no permission') {
    return new SetupError(`You may not talk to the Docker engine at ${host}`, {
      remedy: `${joinGroup}   (then run the same command again)`,
    });
  }
  if (origin === 'default') return undefined;
  return new SetupError(`The Docker engine at ${host} (${origin}) does not answer: ${answer.reason}`, {
    remedy:
      origin === 'DOCKER_HOST'
        ? 'Start that engine, or unset DOCKER_HOST to use the one of this machine.'
        : 'Start that engine, or use the one of this machine: docker context use default',
  });
}

/**
 * @param {Kit} kit
 * @param {DockerEndpoint} endpoint
 * @returns {Promise<EngineAnswer>}
 */
async function askEngine(kit, { host }) {
  const isPlain = host.startsWith('unix://') || (host.startsWith('tcp://') && !kit.env.DOCKER_TLS_VERIFY);
  if (isPlain) return ping(host);
  // ssh and TLS: what the docker command does about keys is not worth doing again here.
  const format = '{{.Server.APIVersion}} {{.Server.Version}}';
  const env = { ...kit.env, DOCKER_HOST: host };
  const answer = await askTool('docker', ['version', '--format', format], { env, timeout: 15_000 });
  const [api, server] = answer?.split(' ') ?? [];
  if (api && server) return { state: 'answers', api, server };
  return { state: 'silent', reason: '`docker version` gets no answer from it (or there is no docker command)' };
}

/**
 * @param {Extract<EngineAnswer, { state: 'answers' }>} answer
 * @param {DockerEndpoint} endpoint
 */
function describe({ api, server }, { origin }) {
  const version = /\d+\.\d+\.\d+/.exec(server)?.[0] ?? `API ${api}`;
  return origin === 'default' ? version : `${version}, ${origin}`;
}

/**
 * @param {Kit} kit
 * @returns {string | undefined}
 */
function findDaemon(kit) {
  const folders = (systemEnvironment(kit).PATH ?? '').split(':').filter(Boolean);
  return folders.map((folder) => join(folder, 'dockerd')).find((path) => existsSync(path));
}

/**
 * @param {Kit} kit
 * @param {Job} job
 * @param {DockerEndpoint} endpoint
 */
async function start(kit, job, endpoint) {
  const hasInit = existsSync('/run/systemd/system');
  if (process.getuid?.() !== 0) {
    throw new SetupError('The Docker engine is installed and does not run, and only root can start it', {
      remedy: hasInit ? 'sudo systemctl start docker' : 'Start it as root (dockerd), then run the same command again.',
    });
  }
  if (hasInit) {
    await job.tool('systemctl', ['start', 'docker'], { env: systemEnvironment(kit), cwd: '/' });
    await untilItAnswers(endpoint.host, job.signal, () => undefined);
    return;
  }
  job.say('no init system runs here: starting the engine in the background (log and process id in .kit/dockerd)');
  await startOwn(kit, job, endpoint);
}

/**
 * Starts dockerd in a session of its own, so that it outlives this command and its terminal.
 *
 * @param {Kit} kit
 * @param {Job} job
 * @param {DockerEndpoint} endpoint
 */
async function startOwn(kit, job, endpoint) {
  const pidFile = join(kit.dockerd, 'dockerd.pid');
  const log = join(kit.dockerd, 'dockerd.log');
  mkdirSync(kit.dockerd, { recursive: true });
  const earlier = runningDaemon(pidFile);
  if (earlier !== undefined) {
    await untilItAnswers(endpoint.host, job.signal, () => (isDaemon(earlier) ? undefined : 'it has ended'), log);
    return;
  }
  rmSync(pidFile, { force: true }); // of a process that is gone; dockerd would take any other with that number for it
  const output = openSync(log, 'w');
  const daemon = spawn(findDaemon(kit) ?? 'dockerd', ['--pidfile', pidFile], {
    cwd: '/',
    env: systemEnvironment(kit),
    detached: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  /** @type {string | undefined} */
  let ended;
  daemon.on('error', (error) => {
    ended = error.message;
  });
  daemon.on('exit', (code, signal) => {
    ended = `it ended by itself (${signal ?? `exit code ${code}`})`;
  });
  try {
    await untilItAnswers(endpoint.host, job.signal, () => ended, log);
  } catch (error) {
    daemon.kill();
    throw error;
  }
  daemon.unref();
}

/**
 * Polls: the engine has no event for "I answer now" that an outsider could wait for.
 *
 * @param {string} host
 * @param {AbortSignal} signal
 * @param {() => string | undefined} ended  why waiting is in vain
 * @param {string} [log]
 */
async function untilItAnswers(host, signal, ended, log) {
  const deadline = Date.now() + startTime;
  while ((await ping(host)).state !== 'answers') {
    signal.throwIfAborted();
    const reason = ended() ?? (Date.now() > deadline ? `no answer within ${startTime / 1000} s` : undefined);
    if (reason !== undefined) {
      const tail =
        log && existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n').slice(-12).join('\n  ') : '';
      throw new SetupError(`The Docker engine does not start: ${reason}${tail && `\n  ${tail}`}`, {
        remedy: log
          ? `What stops it is in ${log}. Mend that, or start an engine yourself, then run the same command again.`
          : 'See what stops it: journalctl -u docker',
      });
    }
    await delay(200, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/**
 * The engine that an earlier run has started, where it still runs.
 *
 * @param {string} pidFile
 * @returns {number | undefined}
 */
function runningDaemon(pidFile) {
  if (!existsSync(pidFile)) return undefined;
  const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
  return Number.isInteger(pid) && isDaemon(pid) ? pid : undefined;
}

/**
 * A process number may belong to something else by now.
 *
 * @param {number} pid
 */
function isDaemon(pid) {
  const name = `/proc/${pid}/comm`;
  try {
    accessSync(name, constants.R_OK);
    return readFileSync(name, 'utf8').trim() === 'dockerd';
  } catch {
    return false; // there is no such process
  }
}
