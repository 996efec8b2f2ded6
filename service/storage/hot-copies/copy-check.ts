import type { Conversation } from '../../conversation/conversation.ts';
import type { RecordChange } from '../supabase/record-changes.ts';
import type { CopyHead } from './hot-copy.ts';

/**
 * What a change in the record means to the copy. `keep`: it has that change already, or there is none. `drop`: it does
 * not fit, or may be filled with what was before the change. `later`: somebody who writes at this moment may be about to
 * make it fit; until then it is not served.
 */
export function copyCheck({ conversation: copy, hasWriter, hasFiller }: CopyHead, change: RecordChange) {
  const { conversation: now, altered, rewritten } = change;
  if (rewritten || now === null || now.deleted_at !== null) return copy || hasFiller ? 'drop' : 'keep';
  if (copy === undefined) return hasFiller ? 'drop' : 'keep';
  if (isLaterThan(copy, now)) return 'keep';
  const fits =
    copy.last_seq === now.last_seq &&
    copy.cleared_seq === now.cleared_seq &&
    copy.updated_at === now.updated_at &&
    (!altered || livesAsLong(copy, now));
  if (fits) return 'keep';
  return hasWriter && !altered ? 'later' : 'drop';
}

type Now = NonNullable<RecordChange['conversation']>;

/** The copy was made after the change was looked for: what came in between is told next time. */
function isLaterThan(copy: Conversation, now: Now): boolean {
  return (
    copy.last_seq > now.last_seq ||
    copy.cleared_seq > now.cleared_seq ||
    Date.parse(copy.updated_at) > Date.parse(now.updated_at)
  );
}

function livesAsLong(copy: Conversation, now: Now): boolean {
  const ttlSeconds =
    copy.expires_at === null ? null : Math.round((Date.parse(copy.expires_at) - Date.parse(copy.accessed_at)) / 1000);
  return ttlSeconds === now.ttl_seconds && Date.parse(copy.accessed_at) <= Date.parse(now.accessed_at);
}
