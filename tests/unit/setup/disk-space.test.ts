import { expect, it } from 'vitest';
import { spaceProblem } from '../../../scripts/setup/disk-space.mjs';

const needs = [
  { what: 'Pulumi', path: '/kit/toolchain', bytes: 0.3e9 },
  { what: 'Go’s caches', path: '/root', bytes: 3.6e9 },
];

it('says nothing where everything fits', () => {
  expect(spaceProblem([{ path: '/', free: 3.9e9, needs }])).toBeUndefined();
  expect(spaceProblem([])).toBeUndefined();
});

it('says what is needed, where, and how much has to go', () => {
  const problem = spaceProblem([
    { path: '/', free: 2.85e9, needs },
    { path: '/data', free: 9e9, needs },
  ]);
  expect(problem?.message).toBe(
    [
      'There is not enough disk space:',
      '  3.9 GB are needed and 2.9 GB are free where / lies:',
      '    0.3 GB  Pulumi (/kit/toolchain)',
      '    3.6 GB  Go’s caches (/root)',
    ].join('\n'),
  );
  expect(problem?.remedy).toBe('Free 1.1 GB there (/), then run the same command again.');
});
