import { asRoot } from '../box-command.ts';
import type { BoxFacts } from '../facts.ts';
import { type BoxStep, inPlace, missing } from '../step.ts';

const serviceOf = ({ timeService }: BoxFacts) => timeService ?? 'systemd-timesyncd';

export const timeSync: BoxStep = {
  name: 'Time',
  remedy: 'See on the box: timedatectl status',
  check: (_wishes, facts) => asRoot('systemctl', 'is-enabled', serviceOf(facts)),
  judge: ({ stdout }, _wishes, facts) =>
    stdout === 'enabled' ? inPlace(`kept by ${serviceOf(facts)}`) : missing(`have it kept by ${serviceOf(facts)}`),
  apply: (_wishes, facts) => [asRoot('systemctl', 'enable', '--now', serviceOf(facts))],
};
