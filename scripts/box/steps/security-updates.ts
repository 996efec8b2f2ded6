import { asRoot, rootScript, writeFile } from '../box-command.ts';
import { type BoxStep, inPlace, missing } from '../step.ts';

const file = '/etc/apt/apt.conf.d/60conversation-kit';
const timers = ['apt-daily.timer', 'apt-daily-upgrade.timer'];
const periodic = ['APT::Periodic::Update-Package-Lists "1";', 'APT::Periodic::Unattended-Upgrade "1";'];

export const securityUpdates: BoxStep = {
  name: 'Security updates',
  remedy: 'See on the box what apt says: apt-config dump APT::Periodic',
  check: () => rootScript('apt-config dump APT::Periodic', `systemctl is-enabled ${timers.join(' ')} || true`),
  judge: ({ stdout }) => {
    const lines = stdout.split('\n');
    const isOn = periodic.every((line) => lines.includes(line));
    const areTimed = lines.filter((line) => line === 'enabled').length === timers.length;
    return isOn && areTimed ? inPlace('every day, unattended') : missing('install them every day, unattended');
  },
  apply: () => [
    writeFile(file, `// Written by "npm run box -- prepare".\n${periodic.join('\n')}\n`),
    asRoot('systemctl', 'enable', '--now', ...timers),
  ],
};
