import type * as docker from '@pulumi/docker';
import type { Profile, Role } from '../profiles.ts';

/** What every container of a stack shares. */
export interface StackContext {
  /** Prefix of every name on the engine. */
  readonly namespace: string;
  readonly profile: Profile;
  readonly network: docker.Network;
  /** Address of the box's engine, as in DOCKER_HOST; left out: this machine's. */
  readonly dockerHost?: string | undefined;
}

/** Labels by which people, scripts and tests find what belongs to a stack. */
export function labels(namespace: string, role: Role | 'network'): { label: string; value: string }[] {
  return [
    { label: 'conversation-kit.role', value: role },
    { label: 'conversation-kit.stack', value: namespace },
  ];
}
