import { $ } from 'zx';
import { announce } from './report.ts';
import { configValue, setConfig, stackExists } from './stack.ts';

/** Creates the stack and its configuration where they are not there yet. */
export async function prepareStack(
  stack: string,
  assignments: readonly (readonly [key: string, value: string])[] = [],
): Promise<void> {
  if (!(await stackExists(stack))) {
    announce(`Creating stack ${stack}`);
    await $({ quiet: true })`pulumi stack init ${stack} --no-select`;
  }
  const source = process.env.KIT_IMAGES;
  if (stack === 'local' && source && (await configValue(stack, 'images')) === undefined) {
    await setConfig(stack, 'images', source);
  }
  for (const [key, value] of assignments) await setConfig(stack, key, value);
}
