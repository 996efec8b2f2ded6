import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { $ } from 'zx';
import { isLoopback } from '../../ssh/networks.ts';
import { type SshTarget, sshTarget } from '../../ssh/target.ts';
import { stackFileValue } from '../setup/stack-file.mjs';
import type { BoxFacts } from './facts.ts';
import { BoxProblem } from './problem.ts';
import type { BoxWishes } from './step.ts';
import { keyBody } from './steps/deploy-user.ts';

/** Which box is meant, and what a stack wants of it. */
export interface MeantBox {
  /** How to log in to prepare it. */
  readonly target: SshTarget;
  readonly deployUser: string;
  readonly published: BoxWishes['published'];
  /** Whether the stack's images are built from the base image, which has to be there then. */
  readonly localImages: boolean;
}

/** `where`: a stack, whose configuration names its box, or `[user@]host`. Throws when it is neither. */
export function meantBox(root: string, where: string, login: string | undefined): MeantBox {
  const byHand = /^([^@\s]+)@([^@\s]+)$/.exec(where);
  if (byHand) {
    const [, user, host = ''] = byHand;
    return { target: { host, user: login ?? user }, deployUser: 'deploy', published: undefined, localImages: false };
  }
  const value = (key: string) => stackFileValue(root, where, key);
  const target = sshTarget(value('dockerHost'));
  if (target === undefined) {
    const file = `Pulumi.${where}.yaml`;
    const why = existsSync(join(root, file)) ? `${file} has no dockerHost: ssh://…` : `there is no ${file}`;
    throw new BoxProblem(
      `${where} is neither user@host nor a stack on a box over SSH (${why})`,
      'A stack without a box runs on this machine, which npm run setup prepares.',
    );
  }
  const address = value('bindAddress') ?? '127.0.0.1';
  const ports = ['httpPort', 'httpsPort'].map((key, index) => Number(value(key) ?? [80, 443][index]));
  return {
    target: { ...target, user: login },
    deployUser: target.user ?? 'deploy',
    published: isLoopback(address) ? undefined : { address, ports },
    localImages: value('images') === 'local',
  };
}

/**
 * The keys for the account that deploys: those that ssh offers here and that the login there already accepts, so nobody
 * gets in who could not before. Or the one in `file`.
 */
export async function deployKeys(target: SshTarget, facts: BoxFacts, file: string | undefined): Promise<string[]> {
  if (file !== undefined) return publicKeys(file, await readKeyFile(file));
  const offered = (await offeredKeys(target)).map(keyBody);
  const accepted = facts.authorizedKeys.filter((line) => offered.includes(keyBody(line)));
  if (accepted.length > 0) return accepted.map(keyBody);
  throw new BoxProblem(
    `None of the keys that ssh offers here is in ~/.ssh/authorized_keys of ${facts.login} on the box, so it is not clear which one deploys`,
    'Name it: --key ~/.ssh/id_ed25519.pub',
  );
}

async function readKeyFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new BoxProblem(`--key ${file} can't be read`, 'It has to be the file of a public key: ls ~/.ssh/*.pub', {
      cause,
    });
  }
}

/** The keys in the text of a file, one a line. Throws when there is anything else: it would all go to the box. */
export function publicKeys(file: string, text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length > 0 && keys.every((line) => publicKey.test(line))) return keys;
  throw new BoxProblem(
    /PRIVATE KEY/.test(text) ? `--key ${file} is a private key, which stays here` : `--key ${file} is no public key`,
    `Name the public half, which ssh-keygen has put beside it: --key ${file.replace(/\.pub$/, '')}.pub`,
  );
}

/** Kind, key and comment, as ssh-keygen writes them. */
const publicKey = /^(?:ssh|ecdsa|sk)-\S+ AAAA[A-Za-z0-9+/]{40,}={0,2}(?: .*)?$/;

async function offeredKeys({ host }: SshTarget): Promise<string[]> {
  const quiet = $({ quiet: true, nothrow: true });
  const [configuration, agent] = await Promise.all([quiet`ssh -G -- ${host}`, quiet`ssh-add -L`]);
  const files = configuration.lines().flatMap((line) => (line.startsWith('identityfile ') ? [line.slice(13)] : []));
  const texts = files.map((file) => readFile(`${file.replace(/^~(?=\/)/, homedir())}.pub`, 'utf8').catch(() => '')); // most of ssh's defaults are not there
  const keys = [...(await Promise.all(texts)), ...(agent.exitCode === 0 ? agent.lines() : [])];
  return keys.filter((key) => key.trim() !== '');
}
