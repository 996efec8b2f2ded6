import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * @typedef {object} DockerEndpoint
 * @property {string} host  `unix://…`, `tcp://…` or `ssh://…`
 * @property {string} origin  who says so, in words; `default` when nobody does
 */

/**
 * @typedef {{ state: 'answers', api: string, server: string }
 *   | { state: 'no permission' }
 *   | { state: 'silent', reason: string }} EngineAnswer
 */

const defaultHost = 'unix:///var/run/docker.sock';

/**
 * The engine that the `docker` command would talk to: DOCKER_HOST, else the current context, else the default socket.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {DockerEndpoint}
 */
export function dockerEndpoint(env) {
  if (env.DOCKER_HOST) return { host: env.DOCKER_HOST, origin: 'DOCKER_HOST' };
  const directory = env.DOCKER_CONFIG ?? join(env.HOME ?? homedir(), '.docker');
  const context = env.DOCKER_CONTEXT ?? textAt(readJson(join(directory, 'config.json')), ['currentContext']);
  if (!context || context === 'default') return { host: defaultHost, origin: 'default' };
  const folder = createHash('sha256').update(context).digest('hex');
  const meta = readJson(join(directory, 'contexts', 'meta', folder, 'meta.json'));
  const host = textAt(meta, ['Endpoints', 'docker', 'Host']);
  return host ? { host, origin: `Docker context ${context}` } : { host: defaultHost, origin: 'default' };
}

/**
 * Asks the engine whether it is there. Only plain sockets are spoken to here; for the others see the docker-engine step.
 *
 * @param {string} host  `unix://…` or `tcp://…`
 * @param {{ timeout?: number }} [options]
 * @returns {Promise<EngineAnswer>}
 */
export async function ping(host, { timeout = 5000 } = {}) {
  try {
    const { status, headers } = await ask(host, '/_ping', { timeout });
    if (status !== 200) return { state: 'silent', reason: `HTTP ${status}` };
    return { state: 'answers', api: String(headers['api-version'] ?? ''), server: String(headers.server ?? '') };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EACCES' || code === 'EPERM') return { state: 'no permission' };
    return { state: 'silent', reason: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * One GET request to the engine.
 *
 * @param {string} host
 * @param {string} path
 * @param {{ timeout: number, signal?: AbortSignal | undefined }} options
 * @returns {Promise<{ status: number, headers: import('node:http').IncomingHttpHeaders, body: string }>}
 */
export function ask(host, path, { timeout, signal }) {
  const address = host.startsWith('unix://') ? { socketPath: host.slice('unix://'.length) } : tcp(host);
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ ...address, path, agent: false, ...(signal ? { signal } : {}) }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('error', reject);
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
    const timer = setTimeout(() => sent.destroy(new Error(`no answer within ${timeout / 1000} s`)), timeout);
    sent.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    sent.end();
  });
}

/** @param {string} host */
function tcp(host) {
  const url = new URL(host.replace(/^tcp:/, 'http:'));
  return { host: url.hostname, port: url.port || '2375' };
}

/**
 * @param {string} path
 * @returns {unknown}
 */
function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined; // no such file, or none that docker itself could read: then nothing is configured there
  }
}

/**
 * @param {unknown} value
 * @param {readonly string[]} path
 * @returns {string | undefined}
 */
function textAt(value, path) {
  const [key, ...rest] = path;
  if (key === undefined) return typeof value === 'string' ? value : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  return textAt(Object.entries(value).find(([name]) => name === key)?.[1], rest);
}
