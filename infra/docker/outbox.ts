import * as docker from '@pulumi/docker';
import type * as pulumi from '@pulumi/pulumi';
import { labels, type StackContext } from './stack-context.ts';

/**
 * Where the service keeps what it has acknowledged while the record is away. Apart from any release: messages that wait
 * there must outlive the one that took them.
 */
export function outboxVolume({ namespace }: StackContext, opts: pulumi.CustomResourceOptions): docker.Volume {
  return new docker.Volume(
    'service-outbox',
    { name: `${namespace}-service-outbox`, labels: labels(namespace, 'service') },
    { ...opts, protect: true },
  );
}
