import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where a Docker engine listens, taken apart. */
export type EngineAddress =
  | { readonly kind: 'socket'; readonly text: string; readonly path: string }
  | { readonly kind: 'tcp'; readonly text: string; readonly host: string; readonly port: number }
  | {
      readonly kind: 'ssh';
      readonly text: string;
      readonly host: string;
      readonly user: string | undefined;
      readonly port: string | undefined;
      /** The socket on the other machine, where it is not that machine's default. */
      readonly socket: string | undefined;
    };

/** `host` as in DOCKER_HOST; without one, this machine's engine. Throws when it is none that can be talked to. */
export function parseEngineAddress(host: string): EngineAddress {
  const path = /^unix:\/\/(.+)$/.exec(host)?.[1];
  if (path) return { kind: 'socket', text: host, path };
  const url = URL.canParse(host) ? new URL(host) : undefined;
  if (url?.protocol === 'ssh:' && url.hostname !== '') return sshAddress(host, url);
  if (url && ['tcp:', 'http:', 'https:'].includes(url.protocol) && url.hostname !== '') {
    const port = url.port === '' ? 2375 : Number(url.port);
    return { kind: 'tcp', text: host, host: url.hostname, port };
  }
  throw new Error(
    `"${host}" is not the address of a Docker engine: use unix:///path/to/docker.sock, ssh://user@host or tcp://host:2376`,
  );
}

function sshAddress(text: string, url: URL): EngineAddress {
  if (url.password !== '')
    throw new Error(
      `the address of the Docker engine on ${url.hostname} holds a password, which ssh does not take: use a key`,
    );
  const given = (value: string): string | undefined => (value === '' ? undefined : decodeURIComponent(value));
  const socket = given(url.pathname === '/' ? '' : url.pathname);
  return { kind: 'ssh', text, host: url.hostname, user: given(url.username), port: given(url.port), socket };
}

/** DOCKER_HOST, or this machine's socket: the system's, or Docker Desktop's where only that exists. */
export function defaultEngineHost(): string {
  const fromEnvironment = process.env.DOCKER_HOST;
  if (fromEnvironment) return fromEnvironment;
  const ofUser = join(homedir(), '.docker', 'run', 'docker.sock');
  const ofSystem = '/var/run/docker.sock';
  return `unix://${!existsSync(ofSystem) && existsSync(ofUser) ? ofUser : ofSystem}`;
}
