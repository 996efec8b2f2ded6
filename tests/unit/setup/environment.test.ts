import { describe, expect, it } from 'vitest';
import { kitEnvironment, kitVariables, shellLine } from '../../../scripts/setup/environment.mjs';
import { openKit } from '../../../scripts/setup/kit.mjs';

const root = '/home/me/kit';
const shell = { HOME: '/nowhere', PATH: '/usr/bin:/bin' };

describe('the environment of a command', () => {
  it('has the kit’s tools first, and home, state and passphrase in the project', () => {
    expect(kitEnvironment(openKit(root, shell))).toEqual({
      HOME: '/nowhere',
      PATH: '/home/me/kit/.kit/bin:/usr/bin:/bin',
      PULUMI_HOME: '/home/me/kit/.kit/pulumi-home',
      PULUMI_BACKEND_URL: 'file:///home/me/kit/.kit/state',
      PULUMI_CONFIG_PASSPHRASE_FILE: '/home/me/kit/.kit/passphrase',
      PULUMI_SKIP_UPDATE_CHECK: 'true',
      NODE_COMPILE_CACHE: '/home/me/kit/.kit/compile-cache',
    });
  });

  it('leaves alone what the person has set', () => {
    const own = {
      PULUMI_BACKEND_URL: 's3://mine',
      PULUMI_CONFIG_PASSPHRASE: '',
      DOCKER_HOST: 'ssh://box',
      KIT_IMAGES: 'local',
      NODE_COMPILE_CACHE: '/var/cache/node',
    };
    expect(kitEnvironment(openKit(root, { ...shell, ...own }))).toMatchObject(own);
    expect(Object.keys(kitVariables(openKit(root, { ...shell, ...own })))).toEqual([
      'PULUMI_HOME',
      'PULUMI_SKIP_UPDATE_CHECK',
    ]);
  });
});

describe('the line for a shell', () => {
  it('is one line of assignments, with that shell’s own PATH behind the kit’s', () => {
    expect(shellLine(openKit(root, shell), 'posix')).toBe(
      `export PATH='/home/me/kit/.kit/bin':"$PATH" PULUMI_HOME='/home/me/kit/.kit/pulumi-home' ` +
        `PULUMI_SKIP_UPDATE_CHECK='true' PULUMI_BACKEND_URL='file:///home/me/kit/.kit/state' ` +
        `PULUMI_CONFIG_PASSPHRASE_FILE='/home/me/kit/.kit/passphrase' NODE_COMPILE_CACHE='/home/me/kit/.kit/compile-cache'`,
    );
  });

  it('does not grow PATH when it is used again', () => {
    const again = openKit(root, { ...shell, PATH: `${root}/.kit/bin:/usr/bin` });
    expect(shellLine(again, 'posix')).toMatch(/^export PULUMI_HOME=/);
    expect(shellLine(again, 'fish')).toMatch(/^set -gx PULUMI_HOME /);
  });

  it('quotes whatever a folder may be called', () => {
    const odd = openKit(`/home/me/it's "$HOME" \\ here`, shell);
    expect(shellLine(odd, 'posix')).toContain(`PULUMI_HOME='/home/me/it'\\''s "$HOME" \\ here/.kit/pulumi-home'`);
    expect(shellLine(odd, 'fish')).toContain(`PULUMI_HOME '/home/me/it\\'s "$HOME" \\\\ here/.kit/pulumi-home'`);
  });
});
