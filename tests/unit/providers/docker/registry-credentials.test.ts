import { describe, expect, it } from 'vitest';
import { credentialsFor, dockerConfig } from '../../../../infra/providers/docker/config.ts';

const config = (...registryAuth: object[]) => dockerConfig.parse({ registryAuth });
const auth = Buffer.from('me:pass:word').toString('base64');

describe('credentials for a registry', () => {
  it('are those of its entry, whatever way its address is written', () => {
    const given = config({ address: 'https://r.example:5000/v2/', username: 'me', password: 'secret' });
    expect(credentialsFor('r.example:5000', given)).toMatchObject({ username: 'me', password: 'secret' });
    expect(credentialsFor('other.example', given)).toBeUndefined();
  });

  it('may stand in a configuration like that of the docker command', () => {
    const configFileContent = JSON.stringify({ auths: { 'https://index.docker.io/v1/': { auth } } });
    const given = config({ address: 'registry-1.docker.io', configFileContent });
    expect(credentialsFor('docker.io', given)).toMatchObject({ username: 'me', password: 'pass:word' });
  });

  it('are none where they are disabled', () => {
    expect(credentialsFor('r.example', config({ address: 'r.example', authDisabled: true }))).toBeUndefined();
  });

  it('that are missing are an error with the command that makes them', () => {
    const given = config({ address: 'r.example', configFileContent: '{}' });
    expect(() => credentialsFor('r.example', given)).toThrow('docker login r.example');
  });
});

it('has no configuration that is ignored', () => {
  const refused = dockerConfig.safeParse({ context: 'x', disableDockerDaemonCheck: true, hots: 'unix:///d.sock' });
  expect(
    refused.error?.issues.flatMap(({ path, code }) => (code === 'unrecognized_keys' ? ['hots'] : path)).sort(),
  ).toEqual(['context', 'disableDockerDaemonCheck', 'hots']);
});
