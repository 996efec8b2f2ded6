import { asRoot, rootScript, writeFile } from '../box-command.ts';
import { type BoxStep, inPlace, missing } from '../step.ts';

const file = '/etc/ssh/sshd_config.d/10-conversation-kit.conf';
const undoTimer = 'conversation-kit-ssh-undo';

const settings = {
  PasswordAuthentication: 'no',
  KbdInteractiveAuthentication: 'no',
  PermitRootLogin: 'prohibit-password',
  PermitEmptyPasswords: 'no',
  X11Forwarding: 'no',
} as const;

/** As `sshd -T` says it, which knows some by another name. */
const effective = Object.entries(settings).map(([name, value]) => {
  const said = value === 'prohibit-password' ? 'without-password' : value;
  return `${name.toLowerCase()} ${said}`;
});

const text = `# Written by "npm run box -- prepare": whoever logs in has a key. What is first said counts.
${Object.entries(settings)
  .map(([name, value]) => `${name} ${value}\n`)
  .join('')}`;

const reload = 'if systemctl is-active --quiet ssh.service; then systemctl reload ssh.service; fi';
const takeBack = `rm -f ${file}; ${reload}`;

/**
 * Logins without a key are refused only on a connection that was opened with one, and only for as long as another one can
 * be opened after it.
 */
export const sshHardening: BoxStep = {
  name: 'SSH',
  remedy: `The old settings are back, or will be within a minute. See on the box: sudo sshd -T, and that /etc/ssh/sshd_config includes sshd_config.d before anything else`,
  check: () => asRoot('sshd', '-T'),
  judge: ({ stdout }) => {
    const lines = stdout.toLowerCase().split('\n');
    const open = effective.filter((line) => !lines.includes(line));
    if (open.length === 0) return inPlace('keys only');
    return missing(`keys only, no passwords (${open.map((line) => line.split(' ')[0]).join(', ')})`);
  },
  apply: () => [
    { proveLogin: true, undo: asRoot('true') },
    rootScript(
      'install -d -m 755 /run/sshd', // sshd -t wants it, and where the socket starts sshd it may be gone
      `systemctl stop ${undoTimer}.timer 2>/dev/null || true`,
      `systemd-run --collect --unit=${undoTimer} --on-active=60 sh -c '${takeBack}'`,
    ),
    writeFile(file, text),
    asRoot('sshd', '-t'),
    rootScript(reload),
    { proveLogin: true, undo: rootScript(takeBack, `systemctl stop ${undoTimer}.timer`) },
    asRoot('systemctl', 'stop', `${undoTimer}.timer`),
  ],
};
