import { nameOf, type SshTarget } from './target.ts';

/** ssh itself failed, or what it was to run is not there. The message says what is wrong, and what mends it. */
export class SshFailure extends Error {
  override readonly name = 'SshFailure';
}

/** What ssh and the other machine say, and what it means to the person. */
const known: { said: RegExp; means: (target: SshTarget) => [problem: string, remedy: string] }[] = [
  {
    said: /REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .+ has changed/i,
    means: ({ host, port }) => [
      'its host key is not the one that it had before: the machine was set up anew, or another one answers in its place',
      `Compare the key with the machine's own (on its console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub). Only if it is right: ssh-keygen -R ${
        port ? `'[${host}]:${port}'` : host
      }, then log in once by hand`,
    ],
  },
  {
    said: /Host key verification failed|No \S+ host key is known for/i,
    means: (target) => [
      'its host key is not known here yet',
      `Log in once by hand and compare the key that ssh shows: ssh ${byHand(target)}`,
    ],
  },
  {
    said: /permission denied while trying to connect to the Docker daemon|docker\.sock.*permission denied/i,
    means: (target) => [
      'its user may not talk to the Docker engine there: it is not in the group docker',
      `npm run box -- prepare <stack> puts it there; by hand: sudo usermod -aG docker ${target.user ?? '<user>'}, on the machine`,
    ],
  },
  {
    said: /Permission denied \(|Too many authentication failures|Load key .*(invalid|error|denied)|UNPROTECTED PRIVATE KEY/i,
    means: (target) => [
      'it does not accept any of the keys that ssh offers',
      `See which key it wants: ssh -v ${byHand(target)}. Its public half belongs in ~/.ssh/authorized_keys of ${target.user ?? 'the user'} there (ssh-copy-id, or npm run box -- prepare)`,
    ],
  },
  {
    said: /Could not resolve hostname|Name or service not known|nodename nor servname/i,
    means: ({ host }) => [
      'no such machine is known',
      `Check the name ${host}: in the stack's dockerHost, in ~/.ssh/config, in the DNS or /etc/hosts`,
    ],
  },
  {
    said: /Connection refused/i,
    means: ({ port }) => [
      `nothing listens for SSH there (port ${port ?? '22'})`,
      'See on the machine that sshd runs: systemctl status ssh',
    ],
  },
  {
    said: /Connection timed out|Operation timed out|No route to host|Network is unreachable|Timeout, server|timed out during banner/i,
    means: (target) => [
      'it does not answer: it is off, away from the network, or a firewall is in between',
      `Once this works, run the same command again: ssh ${byHand(target)} true`,
    ],
  },
  {
    said: /docker: (command )?not found|docker: No such file|command not found: docker/i,
    means: () => ['Docker is not installed there', 'npm run box -- prepare <stack> installs it'],
  },
  {
    said: /Cannot connect to the Docker daemon|Is the docker daemon running/i,
    means: () => [
      'the Docker engine does not run there',
      'Start it on the machine: sudo systemctl start docker. What stops it: journalctl -u docker',
    ],
  },
  {
    said: /Connection (closed|reset) by|Broken pipe|kex_exchange_identification|closed by remote host/i,
    means: (target) => [
      'it ended the connection: it restarts, or takes no more logins just now (MaxStartups)',
      `Once this works, run the same command again: ssh ${byHand(target)} true`,
    ],
  },
];

const byHand = (target: SshTarget) => `${target.port ? `-p ${target.port} ` : ''}${nameOf(target)}`;

/** Whether ssh says this of itself, or of the way to the engine, and not the command that it ran. */
export const isSshFailure = (said: string): boolean => known.some((entry) => entry.said.test(said));

/** In words, from what ssh wrote to its standard error. */
export function sshFailure(said: string, target: SshTarget): SshFailure {
  const words = known.find((entry) => entry.said.test(said))?.means(target);
  const lastLines = said.trim().split('\n').slice(-4).join('\n  ');
  if (words === undefined) {
    return new SshFailure(`ssh to ${nameOf(target)} failed: ${lastLines}\nTry by hand: ssh ${byHand(target)} true`);
  }
  const [problem, remedy] = words;
  return new SshFailure(`ssh to ${nameOf(target)} failed: ${problem}.\n${remedy}.\nssh said:\n  ${lastLines}`);
}
