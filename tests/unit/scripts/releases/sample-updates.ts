import type { Manifest } from '../../../../scripts/releases/manifest.ts';
import type { Update } from '../../../../scripts/releases/updates.ts';

const commit = '1'.repeat(40);

export function manifestOf(release: string, changes: Partial<Manifest> = {}): Manifest {
  return {
    release,
    program: { commit, snapshot: `${release.padEnd(40, '0')}`, clean: true },
    images: { service: { reference: `conversation-kit/service:${release}`, id: `sha256:${release}` } },
    schemaHead: '20260101000000',
    schemaContracts: [],
    configDigest: release,
    ...changes,
  };
}

/** A succeeded update of a release of that name. */
export function updateOf(number: number, release: string, changes: Partial<Update> = {}): Update {
  return {
    number,
    kind: 'up',
    at: new Date(Date.UTC(2026, 0, number)),
    result: 'succeeded',
    message: `Release ${release}`,
    manifest: manifestOf(release),
    config: { values: {}, encryption: { encryptionsalt: 'v1:salt' } },
    namespace: 'ck',
    record: 'embedded',
    migrations: ['20260101000000_first'],
    contracts: {},
    damage: undefined,
    ...changes,
  };
}
