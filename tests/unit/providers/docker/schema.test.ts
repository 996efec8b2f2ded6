import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { containerInputs, replacingInputs } from '../../../../infra/providers/docker/container/inputs.ts';
import { image } from '../../../../infra/providers/docker/image/image.ts';
import { remoteImageComparison, remoteImageInputs } from '../../../../infra/providers/docker/image/remote-image.ts';
import { network, networkInputs } from '../../../../infra/providers/docker/network.ts';
import { volume, volumeInputs } from '../../../../infra/providers/docker/volume.ts';
import { buildInPlace, containerInPlace, propertiesOf } from './official-plugin.ts';

const names = (schema: z.core.$ZodType): string[] => {
  const inner = schema instanceof z.ZodOptional ? schema.unwrap() : schema;
  if (inner instanceof z.ZodArray) return names(inner.element);
  if (!(inner instanceof z.ZodObject)) throw new Error('is not an object');
  return Object.keys(inner.shape).sort();
};

describe('every input of the official plugin is known, none is invented', () => {
  it.each([
    ['container.d.ts', 'ContainerArgs', containerInputs],
    ['network.d.ts', 'NetworkArgs', networkInputs],
    ['volume.d.ts', 'VolumeArgs', volumeInputs],
    ['remoteImage.d.ts', 'RemoteImageArgs', remoteImageInputs],
    ['image.d.ts', 'ImageArgs', image.inputs],
    ['types/input.d.ts', 'ContainerHealthcheck', containerInputs.shape.healthcheck],
    ['types/input.d.ts', 'ContainerCapabilities', containerInputs.shape.capabilities],
    ['types/input.d.ts', 'ContainerMount', containerInputs.shape.mounts],
    ['types/input.d.ts', 'ContainerNetworksAdvanced', containerInputs.shape.networksAdvanced],
    ['types/input.d.ts', 'ContainerPort', containerInputs.shape.ports],
    ['types/input.d.ts', 'ContainerUlimit', containerInputs.shape.ulimits],
    ['types/input.d.ts', 'ContainerUpload', containerInputs.shape.uploads],
    ['types/input.d.ts', 'ContainerVolume', containerInputs.shape.volumes],
    ['types/input.d.ts', 'NetworkIpamConfig', networkInputs.shape.ipamConfigs],
    ['types/input.d.ts', 'RemoteImageBuild', remoteImageInputs.shape.build],
  ])('%s %s', (file, declaration, schema) => {
    expect(names(schema)).toEqual(propertiesOf(file, declaration));
  });

  it('but for the digest that the official plugin adds to what an Image is built from', () => {
    if (!(image.inputs instanceof z.ZodObject)) throw new Error('is not an object');
    const build: z.core.$ZodType = image.inputs.shape.build;
    expect(names(build)).toEqual([...propertiesOf('types/input.d.ts', 'DockerBuild'), 'contextDigest'].sort());
  });
});

describe('what replaces is what replaces with the official plugin', () => {
  it('containers', () => {
    const all = propertiesOf('container.d.ts', 'ContainerArgs');
    expect([...replacingInputs].sort()).toEqual(all.filter((name) => !containerInPlace.includes(name)));
  });

  it('networks and volumes: every change', () => {
    expect([...network.replaceOnChanges].sort()).toEqual(propertiesOf('network.d.ts', 'NetworkArgs'));
    const ofVolumes = propertiesOf('volume.d.ts', 'VolumeArgs').filter((name) => name !== 'cluster');
    expect([...volume.replaceOnChanges].sort()).toEqual(ofVolumes);
  });

  it('remote images', () => {
    const ofBuild = propertiesOf('types/input.d.ts', 'RemoteImageBuild').filter((name) => !buildInPlace.includes(name));
    expect([...remoteImageComparison.replaceOnChanges].sort()).toEqual(
      ['name', 'platform', 'pullTriggers', 'triggers', ...ofBuild.map((name) => `build.${name}`)].sort(),
    );
  });
});
