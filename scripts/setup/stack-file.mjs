import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A plain value of a stack's configuration, out of its file `Pulumi.<stack>.yaml`: for whom Pulumi is too slow to ask,
 * or not there yet. Undefined where it is not set, or secret.
 *
 * @param {string} root  the project's folder
 * @param {string} stack
 * @param {string} key  without the project's prefix
 * @returns {string | undefined}
 */
export function stackFileValue(root, stack, key) {
  const value = new RegExp(`^ +conversation-kit:${key}: *(?:"([^"]*)"|'([^']*)'|([^\\s"'#][^#]*?)) *(?:#.*)?$`, 'm');
  const [, double, single, plain] = value.exec(stackFile(root, stack) ?? '') ?? [];
  return double ?? single ?? plain;
}

/**
 * The text of that file; undefined where the stack has none.
 *
 * @param {string} root
 * @param {string} stack
 * @returns {string | undefined}
 */
function stackFile(root, stack) {
  try {
    return readFileSync(join(root, `Pulumi.${stack}.yaml`), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
