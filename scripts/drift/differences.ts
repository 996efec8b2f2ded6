import type { Complaint, ComparedResource } from './reality.ts';

/** Something that was changed by hand, in words. */
export interface Difference {
  /** For example `container conversation-kit-local-redis`. */
  readonly thing: string;
  /** What is so, for example `stopped`. */
  readonly what: string;
  /** What `npm run up` does about it. */
  readonly remedy: string;
}

export function differencesOf(resources: readonly ComparedResource[]): Difference[] {
  return resources
    .filter(({ op }) => op !== 'refresh' && op !== 'same')
    .map(({ op, urn, diffReasons }) => ({
      thing: urn.split('::').at(-1) ?? urn,
      what: op === 'delete' ? 'is gone' : `${diffReasons.join(', ')} changed`,
      remedy: op === 'delete' ? 'makes it anew' : 'sets it back',
    }));
}

export function unseenOf(complaints: readonly Complaint[]): string[] {
  const own = complaints.filter(({ urn }) => urn !== undefined);
  return own.map(({ message }) => message.replace(/^(error|warning): /, '').trim());
}
