import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError, describeKeys, parseConfig, type RawConfig } from '../../../infra/config.ts';
import { profileNames } from '../../../infra/profiles.ts';

function mistakesOf(stack: string, given: RawConfig): readonly string[] {
  try {
    parseConfig(stack, given);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}

describe('the configuration of a stack', () => {
  it('needs nothing for the stack local', () => {
    expect(parseConfig('local', {})).toMatchObject({
      profile: 'local',
      namespace: 'conversation-kit-local',
      supabase: 'embedded',
      bindAddress: '127.0.0.1',
      httpsPort: 443,
      redisCommander: true,
      acmeEmail: undefined,
    });
  });

  it('takes the profile from the name of the stack, and lets another be named', () => {
    expect(parseConfig('optiplex', {}).profile).toBe('optiplex');
    expect(parseConfig('staging', { profile: 'ryzen' })).toMatchObject({
      profile: 'ryzen',
      namespace: 'conversation-kit-staging',
    });
  });

  it('keeps Redis Commander off on the home server unless it is asked for', () => {
    expect(parseConfig('optiplex', {}).redisCommander).toBe(false);
    expect(parseConfig('optiplex', { redisCommander: 'true' }).redisCommander).toBe(true);
  });

  it.each(['0.0.0.0', '::', '203.0.113.7', '172.32.0.1', '2001:db8::1'])(
    'publishes nothing of the home server beyond the LAN: not on %s',
    (bindAddress) => {
      expect(mistakesOf('optiplex', { bindAddress })).toEqual([
        expect.stringMatching(/^bindAddress: .+ is reached from beyond the LAN.*192\.168/),
      ]);
      expect(mistakesOf('ryzen', { bindAddress })).toEqual([]);
    },
  );

  it.each(['127.0.0.1', '::1', '192.168.1.20', '10.0.0.5', '172.31.2.3', 'fd00::1'])(
    'lets the home server listen on %s',
    (bindAddress) => expect(mistakesOf('optiplex', { bindAddress })).toEqual([]),
  );

  it('lists every mistake at once', () => {
    const mistakes = mistakesOf('local', {
      httpPort: 'eighty',
      httpsPort: '70000',
      bindAddress: 'localhost',
      images: 'podman',
      colour: 'blue',
      redisCommander: 'yes',
    });
    expect(mistakes).toEqual(
      expect.arrayContaining([
        'httpPort: "eighty" must be a whole number',
        'httpsPort: "70000" must be at most 65535',
        expect.stringMatching(/^bindAddress: "localhost" /),
        'images: "podman" must be registry or local',
        'redisCommander: "yes" must be true or false',
        'colour: there is no such key',
      ]),
    );
    expect(mistakes).toHaveLength(6);
  });

  it('names the command that mends it', () => {
    expect(() => parseConfig('local', { httpPort: '0' })).toThrow(
      'npm run pulumi -- config set <key> <value> -s local',
    );
  });

  it('finds contradictions between keys', () => {
    expect(mistakesOf('local', { httpsPort: '80' })).toEqual(['httpsPort: 80 is taken by httpPort']);
    expect(mistakesOf('local', { dockerHost: 'ssh://me@box' })).toEqual([expect.stringContaining('use hosted')]);
    expect(mistakesOf('local', { supabaseUrl: 'https://abc.supabase.co' })).toEqual([
      expect.stringContaining('is for supabase: hosted'),
    ]);
  });

  it('wants a hosted project adopted, made or told by hand, and what that needs', () => {
    expect(mistakesOf('ryzen', { supabaseProjectRef: 'abcdefghijklmnopqrst' })).toEqual([]);
    expect(mistakesOf('ryzen', { supabaseOrganization: 'acme', supabaseRegion: 'eu-central-1' })).toEqual([]);
    expect(mistakesOf('ryzen', { supabaseOrganization: 'acme' })).toEqual([expect.stringMatching(/^supabaseRegion: /)]);
    expect(mistakesOf('ryzen', { supabaseProjectRef: 'abc' })).toEqual([
      'supabaseProjectRef: "abc" must be 20 letters a-z',
    ]);
    expect(
      mistakesOf('ryzen', { supabaseUrl: 'https://a.example', supabaseProjectRef: 'abcdefghijklmnopqrst' }),
    ).toEqual([expect.stringContaining('leaves no room for supabaseProjectRef')]);
    expect(
      mistakesOf('ryzen', {
        supabaseUrl: 'https://a.example',
        databaseUrl: 'postgres://a@b/c',
        supabasePublishableKey: 'sb_publishable_a',
      }),
    ).toEqual([
      'supabaseSecretKey: is needed, too: supabaseUrl says that the project is told by hand',
      'supabaseJwtSecret: is needed, too: supabaseUrl says that the project is told by hand',
    ]);
    expect(mistakesOf('ryzen', { googleClientId: 'id' })).toEqual(['googleClientId, googleClientSecret: go together']);
  });

  it('does not repeat a secret that is wrong', () => {
    const mistakes = mistakesOf('ryzen', { supabaseSecretKey: 'hunter2', databaseUrl: 'mysql://root:hunter2@db' });
    expect(mistakes.filter((mistake) => mistake.includes('(secret) must'))).toHaveLength(2);
    expect(mistakes.join()).not.toContain('hunter2');
  });

  it('does not take a stack whose profile nobody knows', () => {
    expect(mistakesOf('staging', {})).toEqual([expect.stringContaining('local, ryzen, optiplex')]);
    expect(mistakesOf('local', { profile: 'mainframe' })).toEqual([expect.stringContaining('"mainframe"')]);
  });

  it('is documented key by key', () => {
    const page = readFileSync('docs/configuration.md', 'utf8');
    const shown = (value: unknown) => (value === undefined ? '–' : `\`${value}\``);
    const stacks = profileNames.map((name) => Object.entries(parseConfig(name, {})));
    const expected = describeKeys().map(({ key, description }) => {
      const defaults = stacks.map((settings) => shown(settings.find(([name]) => name === key)?.[1]));
      return `| ${[`\`${key}\``, description, ...defaults].join(' | ')} |`;
    });
    expect(page.split('\n').filter((line) => line.startsWith('| `'))).toEqual(expected);
  });
});
