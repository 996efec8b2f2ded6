import type * as docker from '@pulumi/docker';
import type * as pulumi from '@pulumi/pulumi';
import { dataVolume } from './data-volume.ts';
import type { StackContext } from './stack-context.ts';

/**
 * Where the service keeps what it has acknowledged while the record is away. Apart from any release: messages that wait
 * there must outlive the one that took them.
 */
export function outboxVolume(stack: StackContext, opts: pulumi.CustomResourceOptions): docker.Volume {
  const holds = 'the outbox: messages that were acknowledged while Supabase was away';
  return dataVolume('service-outbox', { stack, role: 'service', volume: 'service-outbox', holds }, opts);
}
