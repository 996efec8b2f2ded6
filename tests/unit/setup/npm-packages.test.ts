import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { expectedPackages } from '../../../scripts/setup/steps/npm-packages.mjs';

const machine = { os: 'linux', cpu: 'x64', libc: 'glibc' };
const zod = { version: '4.6.7', integrity: 'sha512-a' };

describe('installed npm packages', () => {
  it('are those of the lock file, no matter what else it describes', () => {
    const lock = { '': {}, 'node_modules/zod': zod, 'sdks/supabase': { version: '1.0.0' } };
    expect(expectedPackages(lock, { 'node_modules/zod': zod }, machine)).toEqual(['node_modules/zod']);
  });

  it.each([
    ['is missing', {}],
    ['has another version', { 'node_modules/zod': { ...zod, version: '4.6.8' } }],
    ['has other content', { 'node_modules/zod': { ...zod, integrity: 'sha512-b' } }],
    ['is a link and should be none', { 'node_modules/zod': { ...zod, link: true } }],
  ])('differ where one %s', (_, installed) => {
    expect(expectedPackages({ 'node_modules/zod': zod }, installed, machine)).toBeUndefined();
  });

  it('need no package that is for another machine, or only for one that is', () => {
    const lock = {
      'node_modules/a-darwin-arm64': { version: '1.0.0', optional: true, os: ['darwin'], cpu: ['arm64'] },
      'node_modules/a-linux-x64-musl': { version: '1.0.0', optional: true, os: ['linux'], cpu: 'x64', libc: ['musl'] },
      'node_modules/a-part-of-those': { version: '1.0.0', optional: true },
    };
    expect(expectedPackages(lock, {}, machine)).toEqual([]);
  });

  it('need the package that is for this machine, although it is optional', () => {
    const lock = {
      'node_modules/a-linux-x64': { version: '1.0.0', optional: true, os: 'linux', cpu: ['x64'], libc: ['glibc'] },
    };
    expect(expectedPackages(lock, {}, machine)).toBeUndefined();
  });
});

const lockFile = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      resolved: z.string().optional(),
      link: z.boolean().optional(),
      dependencies: z.record(z.string(), z.string()).optional(),
      optionalDependencies: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

describe.each(['package-lock.json', 'toolchain/node/package-lock.json', 'toolchain/pulumi-release/package-lock.json'])(
  '%s',
  (file) => {
    const { packages } = lockFile.parse(JSON.parse(readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8')));

    it('names no address: each machine takes packages from its own registry', () => {
      const addresses = Object.values(packages).flatMap(({ resolved, link }) => (resolved && !link ? [resolved] : []));
      expect(addresses).toEqual([]);
    });

    it('names every package that a package wants, also for other machines: npm ci refuses it otherwise', () => {
      const missing = Object.entries(packages).flatMap(([path, entry]) =>
        Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }).filter((name) => !isFound(path, name)),
      );
      expect(missing).toEqual([]);
    });

    /** Looks where Node.js would: beside the package, then in each `node_modules` above it. */
    function isFound(path: string, name: string): boolean {
      if (packages[`${path && `${path}/`}node_modules/${name}`]) return true;
      if (path === '') return false;
      return isFound(path.slice(0, Math.max(0, path.lastIndexOf('/node_modules/'))), name);
    }
  },
);
