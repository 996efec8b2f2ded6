/** Whom ssh talks to. What is left out, the person's own ssh configuration says. */
export interface SshTarget {
  readonly host: string;
  readonly user?: string | undefined;
  readonly port?: string | undefined;
}

/**
 * The command that runs another one on that machine: by the system's ssh, so that ~/.ssh/config, known_hosts and the
 * agent hold. It never asks: nobody would see the question. A machine that has gone silent is given up after 45 s.
 */
export function sshCommand(target: SshTarget, command: readonly string[], options: readonly string[] = []): string[] {
  return [
    'ssh',
    ...options,
    ...['-o', 'ConnectTimeout=30', '-o', 'ServerAliveInterval=15', '-o', 'ServerAliveCountMax=3'],
    ...['-o', 'BatchMode=yes', '-T'],
    ...(target.user ? ['-l', target.user] : []),
    ...(target.port ? ['-p', target.port] : []),
    ...['--', target.host, ...command],
  ];
}

/** The machine of an engine's address `ssh://[user@]host[:port]`; undefined for every other address. */
export function sshTarget(dockerHost: string | undefined): SshTarget | undefined {
  if (!dockerHost?.startsWith('ssh://') || !URL.canParse(dockerHost)) return undefined;
  const { hostname, username, port } = new URL(dockerHost);
  const given = (text: string) => (text === '' ? undefined : decodeURIComponent(text));
  return { host: hostname, user: given(username), port: given(port) };
}

/** As one types it: `[user@]host`. */
export function nameOf({ user, host }: SshTarget): string {
  return user === undefined ? host : `${user}@${host}`;
}
