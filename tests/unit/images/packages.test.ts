import { expect, test } from 'vitest';
import { chosenPackages } from '../../../images/base/packages.ts';
import { recipe } from '../../../images/base/recipe.ts';

test('of what apt would install, the base image gets what its servers need', () => {
  const plan = [
    'Reading package lists...',
    'Inst libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64])',
    'Inst perl-base (5.36.0-7 Debian:12.15/oldstable [amd64]) []',
    'Inst libllvm14 (1:14.0.6-12 Debian:12.15/oldstable [amd64])',
    'Inst libgdbm6:amd64 (1.23-3 Debian:12.15/oldstable [amd64])',
    'Inst postgresql-common (248 Debian:12.15/oldstable [all])',
    'Inst postgresql-15 (15.20-0+deb12u1 Debian-Security:12/oldstable-security [amd64])',
    'Inst postgresql (15+248 Debian:12.15/oldstable [all])',
    'Inst libjson-perl (4.10000-1 Debian:12.15/oldstable [all])',
    'Inst redis-server [5:7.0.14-1] (5:7.0.15-1~deb12u7 Debian-Security:12/oldstable-security [amd64])',
    'Conf libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64])',
  ].join('\n');
  expect(chosenPackages(plan, recipe.without)).toEqual([
    { name: 'libc6', version: '2.36-9+deb12u14' },
    { name: 'libgdbm6', version: '1.23-3' },
    { name: 'postgresql-15', version: '15.20-0+deb12u1' },
    { name: 'redis-server', version: '5:7.0.15-1~deb12u7' },
  ]);
});
