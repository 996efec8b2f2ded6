import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { $ } from 'zx';
import { baseImageReference } from '../../images/base/reference.ts';
import { secondBoxImage } from './second-box/image.ts';

/**
 * Another machine on this one: its own init system (systemd), network, sshd, firewall and Docker engine, in a container
 * that may do nearly all that a machine may. Accounts: `root`, and `admin`, who may become root without a password;
 * with an engine also `deploy`, in the group docker. The key in `home` opens all of them.
 */
export interface SecondBox {
  /** Its IPv4 address, which this machine reaches without a port being published. */
  readonly host: string;
  /** Its name in the ssh configuration of `home`. */
  readonly sshHost: string;
  /** `ssh://deploy@<sshHost>` */
  readonly dockerHost: string;
  /** This machine's IPv4 address, as the box sees it. */
  readonly gateway: string;
  /** Folder with `.ssh/config`, `.ssh/known_hosts`, `.ssh/id_ed25519`, and `bin/ssh`, which uses them. */
  readonly home: string;
  /** PATH with that ssh in front: what ssh(1) reads does not follow HOME. */
  readonly path: string;
  /** Runs a shell script on its console, as root. Returns what it prints; throws when it fails. */
  onConsole(script: string): Promise<string>;
  /** From here on every packet from and to the box is lost, without a word. */
  cutNetwork(): Promise<void>;
  restoreNetwork(): Promise<void>;
  stop(): Promise<void>;
}

const quiet = $({ quiet: true });

/** All that `--privileged` gives, but what some machines do not have to give. */
const mayNearlyAll = [
  ...['--cap-add', 'ALL', '--cap-drop', 'SYS_RESOURCE', '--device-cgroup-rule', 'a *:* rwm', '--cgroupns', 'private'],
  ...['--security-opt', 'seccomp=unconfined', '--security-opt', 'apparmor=unconfined'],
  ...['--security-opt', 'systempaths=unconfined'],
];

/** What is mounted read-only into a container, and a machine's init system writes to. */
const boot = `
mount -o remount,rw /sys
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
for folder in $(grep -o '/sys/fs/cgroup[^ ]*' /proc/self/mounts | sort -u); do mount -o remount,bind,rw "$folder"; done
exec /sbin/init`;

const cut = `table inet cut {
  chain in { type filter hook prerouting priority -450; iifname "eth0" drop; }
  chain out { type filter hook postrouting priority 450; oifname "eth0" drop; }
}`;

/**
 * `bare`: without a Docker engine, whose packages lie in an archive on the box. Otherwise with one that has the kit's
 * base image, so that a deploy needs no registry.
 */
export async function startSecondBox({ bare = false } = {}): Promise<SecondBox> {
  const image = await secondBoxImage(bare ? 'bare' : 'engine');
  const name = `second-box-${randomBytes(4).toString('hex')}`;
  const home = await mkdtemp(join(tmpdir(), `${name}-`));
  const stop = async () => {
    await quiet({ nothrow: true })`docker rm -f -v ${name}`;
    await rm(home, { recursive: true, force: true });
  };
  const onConsole = async (script: string) => (await quiet`docker exec -i ${name} sh -ec ${script}`).stdout;
  try {
    const scratch = ['--tmpfs', '/run:exec', '--tmpfs', '/run/lock', '--tmpfs', '/tmp:exec', '-v', '/var/lib/docker'];
    const options = ['--name', name, '--hostname', name, '--label', 'conversation-kit.test=second-box', ...scratch];
    const stopSignal = ['--stop-signal', 'SIGRTMIN+3', '-e', 'container=docker'];
    await quiet`docker run -d ${options} ${stopSignal} ${mayNearlyAll} ${image} sh -c ${boot}`;
    const format = '{{.NetworkSettings.IPAddress}} {{.NetworkSettings.Gateway}}';
    const [host = '', gateway = ''] = (await quiet`docker inspect --format ${format} ${name}`).stdout.trim().split(' ');
    const path = await sshHome(home, name, host);
    await onConsole(accounts((await quiet`cat ${join(home, '.ssh', 'id_ed25519.pub')}`).stdout.trim()));
    await untilBooted(onConsole);
    const hostKey = (await onConsole('cat /etc/ssh/ssh_host_ed25519_key.pub')).split(' ').slice(0, 2).join(' ');
    await writeFile(join(home, '.ssh', 'known_hosts'), `${name} ${hostKey}\n`);
    if (!bare)
      await quiet({ input: quiet`docker save ${baseImageReference()}`.stdout })`docker exec -i ${name} docker load`;
    return {
      host,
      sshHost: name,
      dockerHost: `ssh://deploy@${name}`,
      gateway,
      home,
      path,
      onConsole,
      cutNetwork: async () => {
        await quiet({ input: cut })`docker exec -i ${name} nft -f -`;
      },
      restoreNetwork: async () => {
        await onConsole('nft delete table inet cut');
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** An ssh of the test's own: the person's keys, agent and known hosts have no part in it. */
async function sshHome(home: string, name: string, address: string): Promise<string> {
  const folder = join(home, '.ssh');
  await mkdir(folder, { mode: 0o700 });
  await quiet`ssh-keygen -q -t ed25519 -N ${''} -C ${name} -f ${join(folder, 'id_ed25519')}`;
  const config = {
    HostName: address,
    HostKeyAlias: name,
    HostKeyAlgorithms: 'ssh-ed25519',
    IdentityFile: join(folder, 'id_ed25519'),
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    UserKnownHostsFile: join(folder, 'known_hosts'),
    GlobalKnownHostsFile: '/dev/null',
  };
  const lines = Object.entries(config).map(([key, value]) => `  ${key} ${value}\n`);
  await writeFile(join(folder, 'config'), `Host ${name}\n${lines.join('')}`);
  const bin = join(home, 'bin');
  await mkdir(bin);
  const { stdout: real } = await quiet`sh -c ${'command -v ssh'}`;
  await writeFile(join(bin, 'ssh'), `#!/bin/sh\nexec '${real.trim()}' -F '${join(folder, 'config')}' "$@"\n`);
  await chmod(join(bin, 'ssh'), 0o755);
  return `${bin}${delimiter}${process.env.PATH ?? ''}`;
}

const accounts = (key: string) => `
id admin >/dev/null 2>&1 || useradd --create-home --shell /bin/bash admin
echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin
for account in root admin deploy; do
  home=$(getent passwd $account | cut -d: -f6)
  [ -n "$home" ] || continue
  install -d -m 700 -o $account -g $account $home/.ssh
  echo '${key}' >$home/.ssh/authorized_keys
  chown $account: $home/.ssh/authorized_keys
done`;

/**
 * Its init system says itself when everything has started; before, it does not even listen. `degraded`: something did not
 * start that a container may not have, which is nothing to us as long as one can log in.
 */
async function untilBooted(onConsole: (script: string) => Promise<string>): Promise<void> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const state = await onConsole('systemctl is-system-running --wait 2>&1 || true; systemctl is-active ssh || true');
    if (/^(running|degraded)\nactive$/.test(state.trim())) return;
    if (Date.now() > deadline) {
      const failed = await onConsole('systemctl --failed --no-legend; journalctl --no-pager -p warning | tail -40');
      throw new Error(`the second box does not boot (${state.trim()}):\n${failed}`);
    }
    await delay(200);
  }
}
