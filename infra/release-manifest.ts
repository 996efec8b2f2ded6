import { createHash } from 'node:crypto';
import * as pulumi from '@pulumi/pulumi';
import { isSecretKey, type Settings } from './config.ts';
import type { KitImage } from './docker/image.ts';
import { laidOutProgram } from './laid-out-program.ts';
import { type DeployedProgram, programSnapshot } from './program-snapshot.ts';
import { projectRoot } from './project-path.ts';

export interface ReleaseManifestArgs {
  readonly release: pulumi.Input<string>;
  /** The images in use, by role. */
  readonly images: Readonly<Partial<Record<string, KitImage>>>;
  readonly schemaHead: pulumi.Input<string>;
  readonly schemaContracts: pulumi.Input<Record<string, string>>;
  readonly settings: Settings;
}

/**
 * What this update consists of, for whoever wants to go back to it: the backend's history keeps it. There is no time in
 * it, so that the same content is the same output. `scripts/releases/manifest.ts` parses it.
 */
export function releaseManifest(args: ReleaseManifestArgs) {
  const images = Object.entries(args.images).flatMap(([role, image]) =>
    image ? [[role, { reference: image.reference, id: image.engineId }] as const] : [],
  );
  return pulumi.output({
    release: args.release,
    program: deployedProgram(),
    images: Object.fromEntries(images),
    schemaHead: args.schemaHead,
    schemaContracts: pulumi.output(args.schemaContracts).apply((contracts) => Object.keys(contracts)),
    configDigest: configDigest(args.settings),
  });
}

function deployedProgram(): DeployedProgram {
  return (
    laidOutProgram()?.program ??
    programSnapshot(projectRoot, {
      write: !pulumi.runtime.isDryRun(),
      warn: (message) => void pulumi.log.warn(message),
    })
  );
}

/**
 * Twelve hexadecimal digits over the settings. A secret takes part by whether it is set: generated ones have their
 * generation, and a digest of the others would help whoever guesses them.
 */
export function configDigest(settings: Settings): string {
  const known = Object.entries(settings)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [key, isSecretKey(key) ? 'set' : value] as const)
    .sort(([left], [right]) => (left < right ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(known)).digest('hex').slice(0, 12);
}
