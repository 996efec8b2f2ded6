import { describe, expect, it } from 'vitest';
import { differencesOf } from '../../../scripts/drift/differences.ts';
import type { ComparedResource } from '../../../scripts/drift/reality.ts';
import { placeOf, straysOf } from '../../../scripts/drift/strays.ts';
import { unseenOf } from '../../../scripts/drift/unseen.ts';

const urn = (type: string, name: string) => `urn:pulumi:local::conversation-kit::any:Parent$${type}::${name}`;
type Properties = Record<string, unknown>;
interface Compared {
  readonly type: string;
  readonly name?: string;
  readonly was?: Properties;
  readonly now?: Properties;
  /** Outputs before and now. */
  readonly knew?: Properties;
  readonly state?: Properties;
  readonly paths?: string[];
  readonly op?: string;
}

function compared({ type, name = 'any', was = {}, now, knew = {}, state = {}, paths = [], op = 'update' }: Compared) {
  const resource: ComparedResource = {
    op,
    urn: urn(type, name),
    oldState: { type, id: `${name}-id`, inputs: was, outputs: knew },
    ...(op === 'delete' ? {} : { newState: { type, inputs: now ?? was, outputs: state } }),
    diffReasons: paths,
  };
  return resource;
}

const said = (...resources: Compared[]) =>
  differencesOf(resources.map(compared)).map(({ thing, what, remedy }) => `${thing}: ${what} → ${remedy}`);

const container = 'docker:index/container:Container';

describe('what was changed by hand, in words', () => {
  it('is nothing where everything is as it was', () => {
    expect(said({ type: container, op: 'refresh' }, { type: container, op: 'same' })).toEqual([]);
  });

  it('tells a stopped container from a paused one and from one that is gone', () => {
    const redis = { type: container, was: { name: 'ck-redis', mustRun: true }, paths: ['mustRun'] };
    expect(said({ ...redis, state: { exitCode: 0 } }, redis, { ...redis, op: 'delete' })).toEqual([
      'container ck-redis: stopped (exit code 0) → starts it',
      'container ck-redis: paused → lets it run',
      'container ck-redis: removed → makes it anew',
    ]);
  });

  it('names limits, networks and ports of a container', () => {
    const was = { name: 'ck-caddy', memory: 256, networksAdvanced: [{ name: 'ck', aliases: ['caddy'] }] };
    const now = { name: 'ck-caddy', memory: 400, networksAdvanced: [{ name: 'bridge' }] };
    const paths = ['memory', 'networksAdvanced[0].name', 'networksAdvanced[0].aliases', 'ports'];
    expect(said({ type: container, was, now, paths })).toEqual([
      'container ck-caddy: memory in MB: 400 instead of 256 → sets it back',
      'container ck-caddy: networks: bridge instead of ck as caddy → replaces it',
      'container ck-caddy: publishes other ports → replaces it',
    ]);
  });

  it('tells a volume with data that is gone once, with what was in it', () => {
    expect(
      said(
        { type: 'docker:index/volume:Volume', name: 'redis-data', was: { name: 'ck-redis-data' }, op: 'delete' },
        { type: 'docker:index/volume:Volume', name: 'redis-secrets', was: { name: 'ck-redis-secrets' }, op: 'delete' },
        {
          type: 'kit:index:DataVolume',
          name: 'redis-data',
          was: { volume: 'ck-redis-data', holds: 'Redis' },
          state: { found: 'gone' },
        },
      ),
    ).toEqual([
      'volume ck-redis-secrets: removed → makes it anew',
      'volume ck-redis-data: gone; it held Redis → refuses: restore it (docs/drift.md), or --accept-volume',
    ]);
  });

  it('names the limit of a bucket, and a bucket that is gone', () => {
    const was = { name: 'user-files', fileSizeLimit: '50MB' };
    const bucket = { type: 'supabase:index:Bucket', was };
    expect(
      said({ ...bucket, now: { ...was, fileSizeLimit: 1000 }, paths: ['fileSizeLimit'] }, { ...bucket, op: 'delete' }),
    ).toEqual([
      'bucket user-files: fileSizeLimit: 1000 instead of 50MB → sets it back',
      'bucket user-files: removed → makes it anew',
    ]);
  });

  it('names each policy, and what the audit has against the database', () => {
    const findings = [
      'no-rls public.messages',
      'policy "users is gone" on public.messages is another',
      'table public.messages is another',
      'function public.f() is new',
    ];
    expect(said({ type: 'supabase:index:SecurityAudit', state: { findings }, paths: ['findings'] })).toEqual([
      'security audit: no-rls public.messages → refuses if it stays, with the SQL that mends it',
      'policy "users is gone" on public.messages: changed → states it again as the migrations do',
      'table public.messages: changed → states it again as the migrations do',
      'function public.f(): made by hand → warns of it',
    ]);
  });

  it('says where Caddy points, and where its configuration is another', () => {
    const was = { upstream: 'service-a:8079' };
    expect(
      said(
        { type: 'kit:index:LiveRelease', was, now: { upstream: 'elsewhere:1' }, paths: ['upstream'] },
        { type: 'kit:index:LiveRelease', was, now: { upstream: '' }, paths: ['upstream'] },
        { type: 'kit:index:EdgeConfig', now: { changedByHand: ['apps.http.servers.srv0.listen[0]'] } },
      ),
    ).toEqual([
      'Caddy: serves elsewhere:1 instead of service-a:8079 → points it back',
      'Caddy: serves no release instead of service-a:8079 → points it back',
      'Caddy: runs another configuration than its Caddyfile (apps.http.servers.srv0.listen[0]) → has it load its Caddyfile',
    ]);
  });

  it('leaves out a release that did not pass its gate, which an update stopped and kept', () => {
    const live = { type: 'kit:index:LiveRelease', was: { upstream: 'service-0123456789:8079' }, op: 'refresh' };
    const release = (id: string) => ({ type: container, was: { name: `ck-service-${id}` }, paths: ['mustRun'] });
    expect(said(live, release('abcdefabcd'), release('0123456789'))).toEqual([
      'container ck-service-0123456789: paused → lets it run',
    ]);
  });

  it('says what the ledger lacks and what it has too much', () => {
    const ledger = { type: 'supabase:index:Migrations', knew: { applied: ['1_a', '2_b'] } };
    expect(
      said({ ...ledger, state: { applied: ['1_a', '3_c'] } }, { ...ledger, state: { applied: ['1_a', '2_b'] } }),
    ).toEqual([
      'ledger of the migrations: lacks 2_b → applies them again, or says why not',
      'ledger of the migrations: has also 3_c → refuses, and says how to go on',
      'ledger of the migrations: was edited → refuses, and says how to go on',
    ]);
  });

  it('finds words for things that it has none of its own for', () => {
    const settings = { type: 'supabase:index:ProjectSettings', name: 'project-settings' };
    expect(said({ ...settings, was: { siteUrl: 'a' }, now: { siteUrl: 'b' }, paths: ['siteUrl'] })).toEqual([
      'ProjectSettings project-settings: siteUrl: b instead of a → sets it back',
    ]);
  });
});

describe('containers that carry the label of a stack', () => {
  const stack: ComparedResource = {
    op: 'refresh',
    urn: 'urn:pulumi:local::conversation-kit::pulumi:pulumi:Stack::conversation-kit-local',
    oldState: { type: 'pulumi:pulumi:Stack', inputs: {}, outputs: { namespace: 'ck', dockerHost: 'ssh://box' } },
    diffReasons: [],
  };

  it('are told when the state does not know them, with the command that removes them', () => {
    const known = compared({ type: container, name: 'redis', op: 'refresh' });
    const labelled = [
      { id: 'redis-id', name: 'ck-redis', status: 'Up 2 hours' },
      { id: 'other', name: 'ck-service-0', status: 'Exited (1) 3 days ago' },
    ];
    expect(straysOf([stack, known], labelled)).toEqual([
      {
        thing: 'container ck-service-0',
        what: 'not of the last update (Exited (1) 3 days ago): started by hand, or left behind',
        remedy: 'leaves it: docker rm -f ck-service-0',
      },
    ]);
  });

  it('are asked for where the stack runs', () => {
    expect(placeOf([stack])).toEqual({ namespace: 'ck', dockerHost: 'ssh://box' });
    expect(placeOf([])).toBeUndefined();
  });
});

it('names what could not be looked at, once, without the words that Pulumi puts around it', () => {
  const away = 'the database at 127.0.0.1:1/postgres can’t be reached. Not checked: policies.';
  expect(
    unseenOf([
      { urn: 'a', severity: 'error', message: `error: Preview failed: ${away}\n` },
      { urn: 'b', severity: 'warning', message: `warning: ${away}\n` },
      { severity: 'error', message: 'error: preview failed\n' },
    ]),
  ).toEqual([away]);
});
