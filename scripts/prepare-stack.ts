import { existsSync, globSync } from 'node:fs';
import { $ } from 'zx';
import { checkConfiguration } from './program-checks.ts';
import { announce } from './report.ts';
import { configValue, setConfig, stackExists } from './stack.ts';

/**
 * Creates the stack and its configuration where they are not there yet. Throws, with nothing changed, where nobody has
 * said that there is such a stack, and where its configuration would have mistakes.
 */
export async function prepareStack(
  stack: string,
  assignments: readonly (readonly [key: string, value: string])[] = [],
): Promise<void> {
  if (!(await stackExists(stack))) {
    assertMeant(stack);
    announce(`Creating stack ${stack}`);
    await $({ quiet: true })`pulumi stack init ${stack} --no-select`;
  }
  const source = process.env.KIT_IMAGES;
  if (stack === 'local' && source && (await configValue(stack, 'images')) === undefined) {
    await setConfig(stack, 'images', source);
  }
  if (assignments.length > 0) await checkConfiguration(stack, assignments);
  for (const [key, value] of assignments) await setConfig(stack, key, value);
}

/** A slip of the hand is no new stack: that has a file, or was made by hand. */
function assertMeant(stack: string): void {
  if (stack === 'local' || existsSync(`Pulumi.${stack}.yaml`)) return;
  const files = globSync('Pulumi.*.yaml').map((file) => file.replace(/^Pulumi\.(.+)\.yaml$/, '$1'));
  const known = [...new Set(['local', ...files])].sort();
  throw new Error(
    `There is no stack ${stack}, and no Pulumi.${stack}.yaml. There are: ${known.join(', ')}. ` +
      `One of your own: npm run pulumi -- stack init ${stack}, then npm run pulumi -- config set profile <profile> -s ${stack}`,
  );
}
