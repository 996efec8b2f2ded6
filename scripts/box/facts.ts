import { asLogin, type BoxCommand } from './box-command.ts';
import { BoxProblem } from './problem.ts';

/** What has to be known of a box before anything is decided. */
export interface BoxFacts {
  /** As people say it, such as `Debian GNU/Linux 12 (bookworm)`. */
  readonly distribution: string;
  /** Packages of the Docker engine: the distribution's, or Docker's own where those are configured or installed. */
  readonly enginePackages: readonly string[];
  /** The service that keeps the time, where one is chosen that is not systemd's own. */
  readonly timeService: string | undefined;
  /** Who logged in. */
  readonly login: string;
  readonly loginIsRoot: boolean;
  /** Why commands do not run as root; undefined: they do. */
  readonly noRoot: string | undefined;
  /** Where the login came from, and the port that it came to. */
  readonly client: string;
  readonly sshPort: number;
  /** Lines of the login's own `authorized_keys`. */
  readonly authorizedKeys: readonly string[];
}

/** Releases that the packages, their names and their defaults are known of. */
const known = ['debian 12', 'ubuntu 22.04', 'ubuntu 24.04'];

const script = `
. /etc/os-release
echo "id=$ID"
echo "version=\${VERSION_ID:-}"
echo "name=$PRETTY_NAME"
echo "login=$(id -un)"
echo "uid=$(id -u)"
echo "connection=\${SSH_CONNECTION:-}"
echo "init=$(cat /proc/1/comm)"
echo "docker=$(command -v docker)"
echo "ce=$(apt-cache policy docker-ce 2>/dev/null | sed -n 's/^  Candidate: //p')"
for service in chrony ntpsec ntp openntpd; do systemctl is-enabled --quiet $service 2>/dev/null && echo "time=$service"; done
echo "sudo=$(if [ "$(id -u)" = 0 ]; then echo yes; else sudo -n true 2>&1 && echo yes; fi)"
sed -n 's/^\\([^# ].*\\)$/key=\\1/p' ~/.ssh/authorized_keys 2>/dev/null || true
`;

export const askFacts: BoxCommand = asLogin('sh', '-c', script);

/** Reads what {@link askFacts} said. Throws where the box is none that can be prepared. */
export function readFacts(said: string): BoxFacts {
  const lines = said.split('\n').map((line) => /^(\w+)=(.*)$/.exec(line));
  const all = (name: string) => lines.flatMap((line) => (line?.[1] === name ? [line[2] ?? ''] : []));
  const one = (name: string) => all(name)[0] ?? '';

  const distribution = one('name') || 'an unknown system';
  if (!known.includes(`${one('id')} ${one('version')}`)) {
    throw new BoxProblem(
      `The box runs ${distribution}, and only ${releases} are known here`,
      'On another distribution, do by hand what the steps in docs/boxes.md do, and deploy: that needs Docker 20.10 or newer, SSH, and a user in the group docker.',
    );
  }
  if (one('init') !== 'systemd') {
    throw new BoxProblem(
      `The init system of the box is ${one('init')}, not systemd`,
      'Services are managed by systemd.',
    );
  }
  if (one('docker').startsWith('/snap/')) {
    throw new BoxProblem(
      'Docker is installed on the box as a snap, which reads no /etc/docker/daemon.json and restarts when it likes',
      'Remove it, with what it holds (sudo snap remove --purge docker), then run the same command again.',
    );
  }
  const [client = '', , , sshPort = '22'] = one('connection').split(' ');
  const loginIsRoot = one('uid') === '0';
  return {
    distribution,
    enginePackages: /^\d/.test(one('ce')) ? ['docker-ce', 'docker-ce-cli', 'containerd.io'] : ['docker.io'],
    timeService: all('time')[0],
    login: one('login'),
    loginIsRoot,
    noRoot: one('sudo') === 'yes' ? undefined : one('sudo') || 'sudo is not there',
    client,
    sshPort: Number(sshPort),
    authorizedKeys: all('key'),
  };
}

const releases = 'Debian 12, Ubuntu Server 22.04 and 24.04';
