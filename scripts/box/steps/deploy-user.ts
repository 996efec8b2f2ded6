import { quoted, rootScript } from '../box-command.ts';
import { BoxProblem } from '../problem.ts';
import { type BoxStep, type BoxWishes, inPlace, missing } from '../step.ts';

const script = (user: string) => [
  `user=${quoted(user)}`,
  'id "$user" >/dev/null 2>&1 || exit 0',
  'echo "groups=$(id -nG "$user")"',
  `echo "password=$(passwd --status "$user" | cut -d' ' -f2)"`,
  'echo "shell=$(getent passwd "$user" | cut -d: -f7)"',
  `echo "sudo=$(sudo -n -l -U "$user" 2>/dev/null | sed -n 's/^ *(/(/p' | head -n 1)"`,
  'home=$(getent passwd "$user" | cut -d: -f6)',
  `sed 's/^/key=/' "$home/.ssh/authorized_keys" 2>/dev/null || true`,
];

/** The account that deploys: in the group docker, with the keys, without a password, without sudo. */
export const deployUser: BoxStep = {
  name: 'Deploy user',
  remedy: 'Mend what it says, then run the same command again',
  check: ({ deployUser: user }) => rootScript(...script(user)),
  judge: ({ stdout }, wishes) => {
    const { deployUser: user } = wishes;
    const one = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(stdout)?.[1] ?? '';
    if (stdout === '') return missing(`make ${user}: in the group docker, your key, no password, no sudo`);
    if (one('sudo') !== '') {
      throw new BoxProblem(
        `The account ${user} may become root by sudo on the box (${one('sudo')}), and what deploys must not`,
        `Name another one in the stack's dockerHost, which is made then: ssh://deploy@…, or take that right from it`,
      );
    }
    const wrong = [
      ...(one('groups').split(' ').includes('docker') ? [] : ['put it into the group docker']),
      ...(one('password') === 'L' ? [] : ['lock its password']),
      ...(/nologin$|false$/.test(one('shell')) ? ['give it a shell'] : []),
      ...(absentKeys(stdout, wishes).length > 0 ? ['authorise your key'] : []),
    ];
    return wrong.length > 0
      ? missing(`${user}: ${wrong.join(', ')}`)
      : inPlace(`${user}: in the group docker, your key, no password, no sudo`);
  },
  apply: (wishes, _facts, { stdout }) => {
    const user = quoted(wishes.deployUser);
    const make =
      stdout === ''
        ? `useradd --create-home --shell /bin/bash --groups docker ${user}`
        : `usermod --append --groups docker --shell /bin/bash ${user} && passwd --lock ${user}`;
    const keys = absentKeys(stdout, wishes);
    const authorise = rootScript(
      `home=$(getent passwd ${user} | cut -d: -f6)`,
      `group=$(id -gn ${user})`,
      `install -d -m 700 -o ${user} -g "$group" "$home/.ssh"`,
      'touch "$home/.ssh/authorized_keys"',
      // The last line of what is there may lack its end.
      `[ -z "$(tail -c 1 "$home/.ssh/authorized_keys")" ] || echo >>"$home/.ssh/authorized_keys"`,
      'cat >>"$home/.ssh/authorized_keys"',
      'chmod 600 "$home/.ssh/authorized_keys"',
      `chown ${user}:"$group" "$home/.ssh/authorized_keys"`,
    );
    return [rootScript(make), ...(keys.length > 0 ? [{ ...authorise, input: `${keys.join('\n')}\n` }] : [])];
  },
};

function absentKeys(said: string, { keys }: BoxWishes): readonly string[] {
  const there = said.split('\n').flatMap((line) => (line.startsWith('key=') ? [line.slice(4)] : []));
  return keys.filter((key) => !there.some((line) => line.includes(keyBody(key))));
}

/** Kind and key, without the comment. */
export function keyBody(line: string): string {
  return /(?:ssh|ecdsa|sk)-\S+ [A-Za-z0-9+/=]+/.exec(line)?.[0] ?? line.trim();
}
