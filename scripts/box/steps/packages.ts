import { asRoot } from '../box-command.ts';
import type { BoxFacts } from '../facts.ts';
import { type BoxStep, inPlace, missing } from '../step.ts';

/** What is installed of the distribution's packages. Where another time service runs, it stays. */
export function wantedPackages({ enginePackages, timeService }: BoxFacts): string[] {
  const time = timeService === undefined ? ['systemd-timesyncd'] : [];
  return [...enginePackages, 'iptables', 'nftables', 'unattended-upgrades', ...time];
}

const apt = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300'];

export const packages: BoxStep = {
  name: 'Packages',
  remedy: 'See on the box that this works, then run the same command again: sudo apt-get update',
  check: (_wishes, facts) => ({
    argv: ['dpkg-query', '--show', '--showformat', `\${Package} \${db:Status-Status}\\n`, ...wantedPackages(facts)],
    as: 'login',
  }),
  judge: ({ stdout }, _wishes, facts) => {
    const absent = wantedPackages(facts).filter((name) => !stdout.split('\n').includes(`${name} installed`));
    if (absent.length > 0) return missing(`install ${absent.join(', ')}`);
    return inPlace(wantedPackages(facts).join(', '));
  },
  apply: (_wishes, facts) => [
    asRoot('dpkg', '--configure', '-a'), // mends what an interrupted run left half-done
    asRoot(...apt, 'update'),
    asRoot(...apt, 'install', '--yes', '--no-install-recommends', ...wantedPackages(facts)),
  ],
};
