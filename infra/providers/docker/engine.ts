import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Docker from 'dockerode';
import { z } from 'zod';
import { defaultEngineHost, type EngineAddress, parseEngineAddress } from './engine-address.ts';
import { EngineAway, explainEngineError } from './engine-error.ts';
import { engineGet } from './engine-request.ts';
import { SshAgent } from './ssh-agent.ts';

export interface ConnectionOptions {
  /** Arguments for ssh, before its host. */
  readonly sshOptions?: readonly string[] | undefined;
  /** PEM texts for TLS over tcp. Without them: the files in `certPath`, or in DOCKER_CERT_PATH. */
  readonly tls?: { readonly ca: string | undefined; readonly cert: string; readonly key: string } | undefined;
  readonly certPath?: string | undefined;
}

/** The newest version of the engine's API that this code was written for; older engines get their own. */
const newestApi = { major: 1, minor: 51 };
const oldestApi = { major: 1, minor: 40 };
const answerWithin = 40_000;

const connections = new Map<string, Promise<Docker>>();

/**
 * A client for the engine at `host` (as in DOCKER_HOST, which is the default), after it has answered and said which
 * version of the API it speaks. Throws `EngineAway` with the remedy when it can't be reached. One client per address.
 */
export function connectEngine(host = defaultEngineHost(), options: ConnectionOptions = {}): Promise<Docker> {
  const key = JSON.stringify([host, options]);
  const known = connections.get(key);
  if (known) return known;
  const connecting = connect(parseEngineAddress(host), options);
  connections.set(key, connecting);
  connecting.catch(() => connections.delete(key)); // the next one tries anew; the caller has the error
  return connecting;
}

async function connect(address: EngineAddress, options: ConnectionOptions): Promise<Docker> {
  const docker = new Docker(clientOptions(address, options));
  explainErrors(docker, address);
  if (address.kind === 'ssh') Object.assign(docker.modem, { agent: new SshAgent(address, options.sshOptions) });
  const { ApiVersion, MinAPIVersion } = await askVersion(docker, address);
  Object.assign(docker.modem, { version: `v${chooseApiVersion(address, ApiVersion, MinAPIVersion)}` });
  return docker;
}

const versions = z.object({ ApiVersion: z.string(), MinAPIVersion: z.string().optional() });

async function askVersion(docker: Docker, address: EngineAddress): Promise<z.output<typeof versions>> {
  const abortSignal = AbortSignal.timeout(answerWithin);
  try {
    return await engineGet(docker, '/version', versions, abortSignal);
  } catch (error) {
    if (error instanceof z.ZodError)
      throw new EngineAway(`what answers at ${address.text} is not a Docker engine`, { cause: error });
    if (!abortSignal.aborted) throw error;
    throw new EngineAway(`the Docker engine at ${address.text} did not answer within ${answerWithin / 1000} s`, {
      cause: error,
    });
  }
}

export function chooseApiVersion(address: EngineAddress, newest: string, oldest: string | undefined): string {
  const [engineNewest, engineOldest] = [versionOf(newest), versionOf(oldest ?? '1.12')];
  const ours = `${newestApi.major}.${newestApi.minor}`;
  if (compare(engineNewest, oldestApi) < 0)
    throw new Error(
      `the Docker engine at ${address.text} is too old: it speaks API ${newest}, and ${oldestApi.major}.${oldestApi.minor} (Docker 19.03) is needed`,
    );
  if (compare(engineOldest, newestApi) > 0)
    throw new Error(
      `the Docker engine at ${address.text} is too new: it speaks API ${oldest} and up, this speaks ${ours}`,
    );
  return compare(engineNewest, newestApi) < 0 ? newest : ours;
}

type ApiVersion = typeof newestApi;

function versionOf(text: string): ApiVersion {
  const [major = 0, minor = 0] = text.split('.').map(Number);
  return { major, minor };
}

const compare = (a: ApiVersion, b: ApiVersion): number => a.major - b.major || a.minor - b.minor;

/** Everything is said explicitly: what is left out, the library takes from the environment. */
function clientOptions(address: EngineAddress, options: ConnectionOptions): Docker.DockerOptions {
  const none = {
    host: undefined,
    port: undefined,
    socketPath: undefined,
    ca: undefined,
    cert: undefined,
    key: undefined,
  };
  switch (address.kind) {
    case 'socket':
      return { ...none, protocol: 'http', socketPath: address.path };
    case 'ssh':
      return { ...none, protocol: 'http', host: 'docker' };
    case 'tcp': {
      const tls = options.tls ?? tlsFiles(options.certPath ?? process.env.DOCKER_CERT_PATH);
      if (!tls)
        throw new Error(
          `the Docker engine at ${address.text} needs TLS: without it, everyone on the network is root there. Set docker:certPath (or DOCKER_CERT_PATH) to the folder with ca.pem, cert.pem and key.pem, or use ssh://`,
        );
      return { ...none, ...tls, protocol: 'https', host: address.host, port: address.port };
    }
  }
}

function tlsFiles(folder: string | undefined): ConnectionOptions['tls'] {
  if (!folder) return undefined;
  const pem = (name: string): string => readFileSync(join(folder, name), 'utf8');
  return { ca: pem('ca.pem'), cert: pem('cert.pem'), key: pem('key.pem') };
}

/** Every request of the library passes through `dial`: the one place where its errors become readable. */
function explainErrors(docker: Docker, address: EngineAddress): void {
  const dial = docker.modem.dial.bind(docker.modem);
  docker.modem.dial = (request, callback) =>
    dial(request, (error, data) => callback?.(error ? explainEngineError(error, address) : null, data));
}
