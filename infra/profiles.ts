import { Refusal } from './refusal.ts';

/** The boxes that the kit is made for. Memory in MiB, CPUs as Docker counts them. */
export const profileNames = ['local', 'ryzen', 'optiplex'] as const;
export type ProfileName = (typeof profileNames)[number];

export interface ContainerLimits {
  readonly memory: number;
  readonly cpus: number;
}

export type Role = 'redis' | 'postgres' | 'supabase' | 'service' | 'caddy' | 'redis-commander';

export interface Profile {
  readonly box: { readonly memory: number; readonly cpus: number };
  /** `maxmemory` of Redis; its container gets more, see {@link redisLimit}. */
  readonly redisMaxMemory: number;
  readonly limits: Readonly<Record<Exclude<Role, 'redis'>, ContainerLimits>>;
}

/** Kept free for the operating system and the Docker engine. */
const headroom = 1024;

const sizes = {
  small: {
    postgres: { memory: 768, cpus: 1 },
    supabase: { memory: 512, cpus: 1 },
    service: { memory: 512, cpus: 1 },
    caddy: { memory: 256, cpus: 1 },
    'redis-commander': { memory: 256, cpus: 0.5 },
  },
  large: {
    postgres: { memory: 4096, cpus: 4 },
    supabase: { memory: 1024, cpus: 2 },
    service: { memory: 1024, cpus: 2 },
    caddy: { memory: 512, cpus: 1 },
    'redis-commander': { memory: 256, cpus: 0.5 },
  },
} as const satisfies Record<string, Profile['limits']>;

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  local: { box: { memory: 6144, cpus: 2 }, redisMaxMemory: 256, limits: sizes.small },
  ryzen: { box: { memory: 65_536, cpus: 16 }, redisMaxMemory: 4096, limits: sizes.large },
  optiplex: { box: { memory: 16_384, cpus: 6 }, redisMaxMemory: 2048, limits: sizes.large },
};

/**
 * Redis forks for every snapshot and AOF rewrite, and the copy shares pages only until they are written: half as much
 * again, and room for client buffers, keeps the kernel from killing it in the middle of one.
 */
export function redisLimit(profile: Profile): ContainerLimits {
  return { memory: Math.ceil(profile.redisMaxMemory * 1.5) + 256, cpus: 1 };
}

export interface BudgetLine {
  readonly what: string;
  readonly memory: number;
}

/** What the stack may use at its peak: every container's limit, a second service during a release, and head-room. */
export function memoryBudget(profile: Profile, roles: readonly Role[]): { lines: BudgetLine[]; sum: number } {
  const lines: BudgetLine[] = roles.map((role) => ({
    what: role,
    memory: role === 'redis' ? redisLimit(profile).memory : profile.limits[role].memory,
  }));
  lines.push({ what: 'second service during a release', memory: profile.limits.service.memory });
  lines.push({ what: 'operating system and Docker', memory: headroom });
  return { lines, sum: lines.reduce((sum, line) => sum + line.memory, 0) };
}

/** Throws, with the sum written out, when the stack does not fit its box. */
export function assertFits(name: ProfileName, profile: Profile, roles: readonly Role[]): void {
  const { lines, sum } = memoryBudget(profile, roles);
  if (sum <= profile.box.memory) return;
  const table = lines.map(({ what, memory }) => `  ${String(memory).padStart(6)} MiB  ${what}`).join('\n');
  throw new Refusal(
    `The stack does not fit the box ${name} (${profile.box.memory} MiB):\n${table}\n  ${String(sum).padStart(6)} MiB  in all`,
  );
}
