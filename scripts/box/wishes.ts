import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { $ } from 'zx';
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
    throw new BoxProblem(
      `${where} is neither user@host nor a stack on a box over SSH (Pulumi.${where}.yaml has no dockerHost: ssh://…)`,
      'A stack without one runs on this machine, which npm run setup prepares.',
    );
  }
  const address = value('bindAddress') ?? '127.0.0.1';
  const ports = ['httpPort', 'httpsPort'].map((key, index) => Number(value(key) ?? [80, 443][index]));
  return {
    target: { ...target, user: login },
    deployUser: target.user ?? 'deploy',
    published: /^127\.|^::1$/.test(address) ? undefined : { address, ports },
    localImages: value('images') === 'local',
  };
}

/**
 * The keys for the account that deploys: those that ssh offers here and that the login there already accepts, so nobody
 * gets in who could not before. Or the one in `file`.
 */
export async function deployKeys(target: SshTarget, facts: BoxFacts, file: string | undefined): Promise<string[]> {
  if (file !== undefined) return [(await readFile(file, 'utf8')).trim()];
  const offered = (await offeredKeys(target)).map(keyBody);
  const accepted = facts.authorizedKeys.filter((line) => offered.includes(keyBody(line)));
  if (accepted.length > 0) return accepted.map(keyBody);
  throw new BoxProblem(
    `None of the keys that ssh offers here is in ~/.ssh/authorized_keys of ${facts.login} on the box, so it is not clear which one deploys`,
    'Name it: --key ~/.ssh/id_ed25519.pub',
  );
}

async function offeredKeys({ host }: SshTarget): Promise<string[]> {
  const quiet = $({ quiet: true, nothrow: true });
  const [configuration, agent] = await Promise.all([quiet`ssh -G -- ${host}`, quiet`ssh-add -L`]);
  const files = configuration.lines().flatMap((line) => (line.startsWith('identityfile ') ? [line.slice(13)] : []));
  const texts = files.map((file) => readFile(`${file.replace(/^~(?=\/)/, homedir())}.pub`, 'utf8').catch(() => '')); // most of ssh's defaults are not there
  const keys = [...(await Promise.all(texts)), ...(agent.exitCode === 0 ? agent.lines() : [])];
  return keys.filter((key) => key.trim() !== '');
}
