import type { PreviewedStep } from '../pulumi-update.ts';
import { table } from '../report.ts';

/** One thing that an update would do, in words. */
export interface Change {
  readonly action: 'create' | 'change' | 'replace' | 'delete';
  /** For example `container service-3f2a9c01be`. */
  readonly thing: string;
  /** What of it, where that says something. */
  readonly details: string;
}

const actions = new Map<string, Change['action']>([
  ['create', 'create'],
  ['update', 'change'],
  ['replace', 'replace'],
  ['delete', 'delete'],
]);

const imageType = 'docker:index/remoteImage:RemoteImage';

const words = new Map<string, string>([
  ['docker:index/container:Container', 'container'],
  ['docker:index/volume:Volume', 'volume'],
  ['docker:index/network:Network', 'network'],
  [imageType, 'image'],
  ['kit:index:Secret', 'secret'],
  ['kit:index:LiveRelease', 'live release'],
  ['kit:index:ReleaseGate', 'gate'],
  ['kit:index:DataVolume', 'watch over volume'],
  ['kit:index:EdgeConfig', 'configuration of Caddy'],
  ['supabase:index:Project', 'Supabase project'],
  ['supabase:index:ProjectSettings', 'settings of the Supabase project'],
  ['supabase:index:Migrations', 'database schema'],
  ['supabase:index:Bucket', 'bucket'],
  ['supabase:index:SecurityAudit', 'security audit of the database'],
]);

/**
 * What an update would do to what really exists. Components, providers and the stack itself are how the program is
 * written, not things on a box; the two halves of a replacement are told as one.
 */
export function changesOf(steps: readonly PreviewedStep[]): Change[] {
  return steps.flatMap((step) => {
    const action = actions.get(step.op);
    const type = typeOf(step.urn);
    if (!action || type.startsWith('conversation-kit:') || type.startsWith('pulumi:')) return [];
    // Images are forgotten by the state, and stay on the engine for a rollback.
    if (action === 'delete' && type === imageType) return [];
    const name = step.urn.split('::').at(-1) ?? step.urn;
    const thing = `${words.get(type) ?? type} ${name}`;
    return [{ action, thing, details: detailsOf(action, step) }];
  });
}

/** `parent$…$type` in a URN: the resource's own type is the last. */
function typeOf(urn: string): string {
  return urn.split('::')[2]?.split('$').at(-1) ?? '';
}

function detailsOf(action: Change['action'], { diffReasons = [], replaceReasons = [] }: PreviewedStep): string {
  if (action === 'replace') return (replaceReasons.length > 0 ? replaceReasons : diffReasons).join(', ');
  return action === 'change' ? diffReasons.join(', ') : '';
}

const inWords: Readonly<Record<Change['action'], string>> = {
  create: 'is made',
  change: 'is changed',
  replace: 'is made anew',
  delete: 'is removed',
};

export function changeTable(changes: readonly Change[]): string {
  return table(
    [],
    changes.map(({ action, thing, details }) => [thing, inWords[action], details]),
  );
}
