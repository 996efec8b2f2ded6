import { expect, it } from 'vitest';
import { changesOf, changeTable } from '../../../scripts/deploy/changes.ts';
import { changedSomething } from '../../../scripts/deploy/last-update.ts';

const urn = (type: string, name: string) => `urn:pulumi:local::conversation-kit::${type}::${name}`;
const component = 'conversation-kit:docker:ServiceRelease$conversation-kit:docker:HardenedContainer';

it('tells in plain words what an update would do, and leaves out what is no thing on a box', () => {
  const changes = changesOf([
    { op: 'same', urn: urn('pulumi:pulumi:Stack', 'conversation-kit-local') },
    { op: 'create', urn: urn(component, 'service-2') },
    { op: 'create', urn: urn(`${component}$docker:index/container:Container`, 'service-2') },
    { op: 'create-replacement', urn: urn('docker:index/container:Container', 'redis') },
    { op: 'replace', urn: urn('docker:index/container:Container', 'redis'), replaceReasons: ['memory'] },
    { op: 'delete-replaced', urn: urn('docker:index/container:Container', 'redis') },
    { op: 'update', urn: urn('kit:index:LiveRelease', 'live-release'), diffReasons: ['upstream'] },
    { op: 'update', urn: urn('pulumi:providers:docker', 'engine'), diffReasons: ['host'] },
    { op: 'delete', urn: urn('docker:index/container:Container', 'service-1') },
    { op: 'create', urn: urn('other:index:Thing', 'x') },
  ]);
  expect(changes).toEqual([
    { action: 'create', thing: 'container service-2', details: '' },
    { action: 'replace', thing: 'container redis', details: 'memory' },
    { action: 'change', thing: 'live release live-release', details: 'upstream' },
    { action: 'delete', thing: 'container service-1', details: '' },
    { action: 'create', thing: 'other:index:Thing x', details: '' },
  ]);
  expect(changeTable(changes)).toMatch(/container redis +is made anew +memory/);
});

it('knows from an update’s counts whether it did anything', () => {
  expect(changedSomething({ same: 41 })).toBe(false);
  expect(changedSomething({ same: 41, refresh: 2 })).toBe(false);
  expect(changedSomething({ same: 40, create: 1 })).toBe(true);
  expect(changedSomething({ same: 40, create: 0 })).toBe(false);
  expect(changedSomething(undefined)).toBe(true);
});
