import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { z } from 'zod';
import type { ResourceContext } from '../plugin/resource.ts';
import { connectEngine } from './engine.ts';
import { notImplemented } from './input-schema.ts';

const registryAuth = z.strictObject({
  address: z.string(),
  username: z.string().optional(),
  password: z.string().optional(),
  configFile: z.string().optional(),
  configFileContent: z.string().optional(),
  authDisabled: z.boolean().optional(),
});

/** The docker package's provider configuration (`docker:host` and so on). */
export const dockerConfig = z.strictObject({
  host: z.string().min(1, 'must not be empty').optional(),
  sshOpts: z.array(z.string()).optional(),
  certPath: z.string().optional(),
  caMaterial: z.string().optional(),
  certMaterial: z.string().optional(),
  keyMaterial: z.string().optional(),
  registryAuth: z.array(registryAuth).optional(),
  context: notImplemented('set docker:host instead'),
  disableDockerDaemonCheck: notImplemented(),
});
export type DockerConfig = z.output<typeof dockerConfig>;
export type DockerContext = ResourceContext<DockerConfig>;

/** The engine that the provider is configured for, answering. */
export function engineOf({ config }: DockerContext): Promise<Docker> {
  const { caMaterial: ca, certMaterial: cert, keyMaterial: key } = config;
  if ((cert === undefined) !== (key === undefined))
    throw new Error('docker:certMaterial and docker:keyMaterial belong together: set both or none');
  return connectEngine(config.host, {
    sshOptions: config.sshOpts,
    certPath: config.certPath,
    tls: cert !== undefined && key !== undefined ? { ca, cert, key } : undefined,
  });
}

const credentialsFile = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() })).optional(),
});

/** What a registry is told about who asks; `undefined` means nobody in particular. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
  readonly serveraddress: string;
}

/** Credentials for a registry (its host, `docker.io` for Docker Hub) from the provider's configuration. */
export function credentialsFor(registry: string, config: DockerConfig): Credentials | undefined {
  const entry = config.registryAuth?.find(({ address }) => registryHost(address) === registry);
  if (!entry || entry.authDisabled) return undefined;
  if (entry.username !== undefined && entry.password !== undefined)
    return { username: entry.username, password: entry.password, serveraddress: entry.address };
  const path = (entry.configFile ?? join(homedir(), '.docker', 'config.json')).replace(/^~(?=\/)/, homedir());
  const { auths = {} } = credentialsFile.parse(JSON.parse(entry.configFileContent ?? readFileSync(path, 'utf8')));
  const auth = Object.entries(auths).find(([address]) => registryHost(address) === registry)?.[1].auth;
  if (!auth)
    throw new Error(
      `no credentials for ${registry} in ${path}: log in with "docker login ${registry}", or give docker:registryAuth a username and a password (credential helpers are not implemented by the stand-in)`,
    );
  const [username = '', ...password] = Buffer.from(auth, 'base64').toString('utf8').split(':');
  return { username, password: password.join(':'), serveraddress: entry.address };
}

function registryHost(address: string): string {
  const host = address.replace(/^https?:\/\//, '').split('/', 1)[0] ?? address;
  return /^(registry-1\.|index\.)?docker\.io$/.test(host) ? 'docker.io' : host;
}
