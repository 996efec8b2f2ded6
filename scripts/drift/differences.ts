import type { ComparedResource } from './reality.ts';

/** Something that was changed by hand, in words. */
export interface Difference {
  /** For example `container conversation-kit-local-redis`. */
  readonly thing: string;
  /** What is so, for example `stopped`. */
  readonly what: string;
  /** What `npm run up` does about it, or what is to be done first. */
  readonly remedy: string;
}

type Properties = Readonly<Record<string, unknown>>;
interface Found {
  readonly resource: ComparedResource;
  /** Inputs before and now; `now` is empty when the thing is gone. */
  readonly was: Properties;
  readonly now: Properties;
  /** Outputs as they are now. */
  readonly state: Properties;
  readonly isGone: boolean;
}

/** What differs between a stack's state and reality, each thing in plain words. */
export function differencesOf(resources: readonly ComparedResource[]): Difference[] {
  const live = liveHost(resources);
  const changed = resources
    .filter(({ op }) => op !== 'refresh' && op !== 'same')
    .filter((one) => !isNotLive(one, live));
  const lost = new Set(
    changed.filter(({ urn }) => typeOf(urn) === 'kit:index:DataVolume').map(({ urn }) => nameOf(urn)),
  );
  return changed.flatMap((resource) => {
    const isVolume = typeOf(resource.urn) === 'docker:index/volume:Volume';
    if (isVolume && lost.has(nameOf(resource.urn))) return []; // said with what was in it
    const found = {
      resource,
      was: resource.oldState?.inputs ?? {},
      now: resource.newState?.inputs ?? {},
      state: resource.newState?.outputs ?? {},
      isGone: resource.op === 'delete',
    };
    return (wordings[typeOf(resource.urn)] ?? anything)(found);
  });
}

/** Host of the release that gets the requests, as the last update left it. */
function liveHost(resources: readonly ComparedResource[]): string | undefined {
  const live = resources.find(({ urn }) => typeOf(urn) === 'kit:index:LiveRelease');
  const upstream = live?.oldState?.inputs.upstream;
  return typeof upstream === 'string' ? upstream.split(':')[0] : undefined;
}

/** A release that did not pass its gate is stopped, and kept for a look: nobody changed it by hand. */
function isNotLive({ urn, oldState }: ComparedResource, live: string | undefined): boolean {
  const name = text(oldState?.inputs.name);
  const isRelease = typeOf(urn) === 'docker:index/container:Container' && /-service-[0-9a-f]{10}$/.test(name);
  return isRelease && live !== undefined && !name.endsWith(`-${live}`);
}

const wordings: Readonly<Record<string, (found: Found) => Difference[]>> = {
  'docker:index/container:Container': container,
  'docker:index/volume:Volume': (found) => whole(found, `volume ${text(found.was.name)}`),
  'docker:index/network:Network': (found) => whole(found, `network ${text(found.was.name)}`),
  'docker:index/remoteImage:RemoteImage': (found) => whole(found, `image ${text(found.was.name)}`),
  'kit:index:DataVolume': dataVolume,
  'kit:index:LiveRelease': liveRelease,
  'kit:index:EdgeConfig': edgeConfig,
  'supabase:index:Bucket': (found) => whole(found, `bucket ${text(found.was.name)}`),
  'supabase:index:Migrations': migrations,
  'supabase:index:SecurityAudit': securityAudit,
};

function container(found: Found): Difference[] {
  const { was, now, state, isGone } = found;
  const thing = `container ${text(was.name)}`;
  if (isGone) return [{ thing, what: 'removed', remedy: 'makes it anew' }];
  const changes = changedKeys(found).map((key): Omit<Difference, 'thing'> => {
    switch (key) {
      case 'mustRun':
        return typeof state.exitCode === 'number'
          ? { what: `stopped (exit code ${state.exitCode})`, remedy: 'starts it' }
          : { what: 'paused', remedy: 'lets it run' };
      case 'networksAdvanced':
        return { what: `networks: ${networks(now[key])} instead of ${networks(was[key])}`, remedy: 'replaces it' };
      case 'ports':
        return { what: 'publishes other ports', remedy: 'replaces it' };
      case 'image':
        return { what: `runs ${text(now[key])} instead of ${text(was[key])}`, remedy: 'replaces it' };
      default:
        return { what: instead(limits[key] ?? key, was[key], now[key]), remedy: 'sets it back' };
    }
  });
  return changes.map((change) => ({ thing, ...change }));
}

/** Of containers, with their units. */
const limits: Readonly<Record<string, string>> = {
  memory: 'memory in MB',
  memorySwap: 'memory with swap in MB',
  cpus: 'CPUs',
  cpuShares: 'share of the CPUs',
  restart: 'restart policy',
};

function networks(value: unknown): string {
  if (!Array.isArray(value) || value.length === 0) return 'none';
  return value
    .map((one: Properties) =>
      Array.isArray(one.aliases) ? `${text(one.name)} as ${one.aliases.join(', ')}` : text(one.name),
    )
    .join(' and ');
}

function dataVolume({ was, state }: Found): Difference[] {
  const name = text(was.volume);
  const isGone = state.found === 'gone';
  return [
    {
      thing: `volume ${name}`,
      what: `${isGone ? 'gone' : 'another one of that name'}; it held ${text(was.holds)}`,
      remedy: 'refuses: restore it (docs/drift.md), or --accept-volume',
    },
  ];
}

function liveRelease({ was, now, isGone }: Found): Difference[] {
  const serves = isGone || now.upstream === '' ? 'no release' : text(now.upstream);
  return [{ thing: 'Caddy', what: `serves ${serves} instead of ${text(was.upstream)}`, remedy: 'points it back' }];
}

function edgeConfig({ now, isGone }: Found): Difference[] {
  if (isGone) return []; // its container is, and that is said
  const paths = Array.isArray(now.changedByHand) ? now.changedByHand : [];
  return [
    {
      thing: 'Caddy',
      what: `runs another configuration than its Caddyfile (${shortened(paths)})`,
      remedy: 'has it load its Caddyfile',
    },
  ];
}

function migrations({ resource, state }: Found): Difference[] {
  const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
  const [was, now] = [list(resource.oldState?.outputs.applied), list(state.applied)];
  const gone = was.filter((one) => !now.includes(one));
  const come = now.filter((one) => !was.includes(one));
  const thing = 'ledger of the migrations';
  return [
    ...(gone.length > 0
      ? [{ thing, what: `lacks ${shortened(gone)}`, remedy: 'applies them again, or says why not' }]
      : []),
    ...(come.length > 0
      ? [{ thing, what: `has also ${shortened(come)}`, remedy: 'refuses, and says how to go on' }]
      : []),
    ...(gone.length + come.length === 0
      ? [{ thing, what: 'was edited', remedy: 'refuses, and says how to go on' }]
      : []),
  ];
}

/** A finding is a change, `<object> is gone`, or a rule and what it is broken by, `no-rls public.messages`. */
function securityAudit({ state }: Found): Difference[] {
  const findings = Array.isArray(state.findings) ? state.findings.map(text) : [];
  return findings.map((finding) => {
    const [, object, change] = /^(.*) is (new|gone|another)$/s.exec(finding) ?? [];
    if (object === undefined || change === undefined)
      return { thing: 'security audit', what: finding, remedy: 'refuses if it stays, with the SQL that mends it' };
    const what = { new: 'made by hand', gone: 'dropped', another: 'changed' }[change] ?? change;
    const isRestated = change !== 'new' && /^(policy|table) /.test(object);
    return { thing: object, what, remedy: isRestated ? 'states it again as the migrations do' : 'warns of it' };
  });
}

function anything(found: Found): Difference[] {
  const { urn } = found.resource;
  return whole(found, `${typeOf(urn).split(':').at(-1) ?? ''} ${nameOf(urn)}`);
}

/** A thing that is gone, or each of its properties that is another. */
function whole(found: Found, thing: string): Difference[] {
  if (found.isGone) return [{ thing, what: 'removed', remedy: 'makes it anew' }];
  const { was, now } = found;
  return changedKeys(found).map((key) => ({ thing, what: instead(key, was[key], now[key]), remedy: 'sets it back' }));
}

/** Names of the properties that differ, each once. */
function changedKeys({ resource }: Found): string[] {
  return [...new Set(resource.diffReasons.map((path) => path.split(/[.[]/, 1)[0] ?? path))];
}

const instead = (name: string, was: unknown, now: unknown): string => `${name}: ${shown(now)} instead of ${shown(was)}`;

function shown(value: unknown): string {
  if (value === undefined || value === null || value === '') return 'none';
  const whole = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return whole.length > 60 ? `${whole.slice(0, 60)}…` : whole;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '?');

function shortened(list: readonly unknown[]): string {
  const some = list.slice(0, 3).map(text).join(', ');
  return list.length > 3 ? `${some} and ${list.length - 3} more` : some;
}

/** `urn:pulumi:stack::project::parent$type::name` */
const typeOf = (urn: string): string => urn.split('::')[2]?.split('$').at(-1) ?? urn;
const nameOf = (urn: string): string => urn.split('::').at(-1) ?? urn;
