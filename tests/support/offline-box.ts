import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { $ } from 'zx';
import type { CommandResult } from './checkout.ts';

/**
 * A box without internet: a network namespace with a loopback of its own, and in it a Docker engine that has no image.
 * What leaves it for anywhere goes into a drain, without an answer: whoever tries has to wait, and is counted.
 */
export interface OfflineBox {
  /** A folder of its own, on a disk. */
  readonly folder: string;
  /** Runs a shell script there, with an empty HOME and none of this process's environment. */
  run(script: string): Promise<CommandResult>;
  /**
   * Packets that anything there has sent to somewhere else. Names that containers ask for do not count: the engine asks
   * beyond for those of containers that are just being restarted.
   */
  sentPackets(): Promise<number>;
  stop(): Promise<void>;
}

const quiet = $({ quiet: true });

export async function startOfflineBox(): Promise<OfflineBox> {
  const namespace = `offline-${randomBytes(4).toString('hex')}`;
  const folder = await mkdtemp(join(tmpdir(), `${namespace}-`));
  const inside = ['nsenter', `--net=/run/netns/${namespace}`];
  const environment = [`HOME=${join(folder, 'home')}`, `DOCKER_HOST=unix://${folder}/docker.sock`];
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  let stopEngine = async () => {};
  const stop = async () => {
    await stopEngine();
    await quiet({ nothrow: true })`ip netns del ${namespace}`;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await mkdir(join(folder, 'home'));
    await makeNamespace(namespace);
    for (const rule of ['OUTPUT -o sink', 'FORWARD -o sink -p udp --dport 53 -j ACCEPT', 'FORWARD -o sink']) {
      await quiet`${[...inside, 'iptables', '--table', 'mangle', '--append', ...rule.split(' ')]}`;
    }
    stopEngine = await startEngine(inside, folder);
    return {
      folder,
      stop,
      async run(script) {
        const command = [...inside, 'env', '-i', path, ...environment, 'sh', '-ec', script];
        const ran = await quiet({ nothrow: true, cwd: folder })`${command}`;
        return { exitCode: ran.exitCode ?? 1, stdout: ran.stdout, output: ran.stdall };
      },
      async sentPackets() {
        const command = [...inside, 'iptables-save', '--counters', '--table', 'mangle'];
        const counted = (await quiet`${command}`).stdout.matchAll(/^\[(\d+):\d+\] -A (?:OUTPUT|FORWARD) -o sink$/gm);
        const packets = [...counted].map(([, count]) => Number(count));
        if (packets.length !== 2) throw new Error('the box does not count what is sent from it');
        return packets.reduce((sum, count) => sum + count);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** With a route to everywhere and a neighbour that is not there: without them, an attempt would fail at once, unseen. */
async function makeNamespace(name: string): Promise<void> {
  const gateway = '198.51.100.1';
  await quiet`ip netns add ${name}`;
  const ip = $({ quiet: true, prefix: `set -e; ip() { command ip -netns ${name} "$@"; }; `, shell: 'sh' });
  await quiet`ip netns exec ${name} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1`;
  await ip`ip link set lo up
    ip link add sink type veth peer name drain
    ip link set drain up
    ip address add 198.51.100.2/24 dev sink
    ip link set sink up
    ip neighbour add ${gateway} lladdr 02:00:00:00:00:01 dev sink nud permanent
    ip route add default via ${gateway}`;
}

/** Returns what stops it. It gets a /run of its own: two engines there would take each other's sockets. */
async function startEngine(inside: readonly string[], folder: string): Promise<() => Promise<void>> {
  const log = join(folder, 'dockerd.log');
  const output = openSync(log, 'w');
  const options = `--data-root ${folder}/docker --exec-root ${folder}/exec --pidfile ${folder}/dockerd.pid --host unix://${folder}/docker.sock`;
  const [command = '', ...args] = [...inside, 'unshare', '--mount', 'sh', '-ec'];
  const script = `mount -t tmpfs tmpfs /run; exec dockerd ${options}`;
  const engine = spawn(command, [...args, script], {
    stdio: ['ignore', output, output],
    env: { PATH: process.env.PATH },
  });
  closeSync(output);
  const ended = new Promise<void>((resolve) => engine.once('close', () => resolve()));
  const docker = $({
    quiet: true,
    nothrow: true,
    env: { ...process.env, DOCKER_HOST: `unix://${folder}/docker.sock` },
  });
  const deadline = Date.now() + 60_000;
  while ((await docker`docker version`).exitCode !== 0) {
    if (engine.exitCode !== null || Date.now() > deadline) {
      engine.kill('SIGKILL');
      throw new Error(`the engine of the box does not start:\n${readFileSync(log, 'utf8').slice(-3000)}`);
    }
    await delay(200);
  }
  return async () => {
    const all = (await docker`docker ps --all --quiet`).stdout.split('\n').filter((id) => id !== '');
    if (all.length > 0) await docker`docker rm --force --volumes ${all}`;
    engine.kill('SIGTERM');
    await ended;
  };
}
