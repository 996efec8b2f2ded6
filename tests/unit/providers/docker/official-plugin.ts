import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * What is known of the official plugin's 5.2 resources: the inputs from the types of its SDK, the replace rules written
 * down here from its schema (`replaceOnChanges`, `willReplaceOnChanges`).
 */
const sdk = dirname(createRequire(import.meta.url).resolve('@pulumi/docker/package.json'));

/** Names of the properties of an interface in one of the SDK's declaration files. */
export function propertiesOf(file: string, declaration: string): string[] {
  const text = readFileSync(join(sdk, file), 'utf8').replace(/\/\*\*[\s\S]*?\*\//g, '');
  const body = new RegExp(`export interface ${declaration} \\{\\n([\\s\\S]*?)\\n\\}`).exec(text)?.[1];
  if (!body) throw new Error(`${file} of @pulumi/docker declares no ${declaration}`);
  return [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, name = '']) => name).sort();
}

export const containerInPlace = [
  'attach',
  'containerReadRefreshTimeoutMilliseconds',
  'cpuPeriod',
  'cpuQuota',
  'cpuSet',
  'cpuShares',
  'destroyGraceSeconds',
  'deviceReadBps',
  'deviceReadIops',
  'deviceWriteBps',
  'deviceWriteIops',
  'healthcheck',
  'init',
  'logs',
  'maxRetryCount',
  'memory',
  'memoryReservation',
  'memorySwap',
  'mustRun',
  'removeVolumes',
  'restart',
  'rm',
  'start',
  'tmpfs',
  'wait',
  'waitTimeout',
];

/** Nested properties of `RemoteImage.build` that do not replace. */
export const buildInPlace = ['authConfigs', 'label', 'remove', 'secrets', 'tags', 'ulimits'];
