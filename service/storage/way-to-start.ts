import { RedisRefused } from './redis/redis-connection.ts';
import { SupabaseRefused } from './supabase/supabase-store.ts';

/** Why a neighbour could not be had in time; undefined where it is there, or is not part of the backend. */
export interface Missing {
  readonly supabase: unknown;
  readonly redis: unknown;
}

export interface Start {
  readonly backend: string;
  readonly fallback: 'memory' | undefined;
  readonly missing: Missing;
  /** Whether this box has reached this Supabase before: it can do its work without it, and has to. */
  readonly isKnownBox: boolean;
  /** Whether the start was given up as a whole. */
  readonly isOver: boolean;
}

/** What comes of a start: `cold` is without hot copies: slower, and nothing is lost; `memory` keeps nothing. */
export type WayToStart = 'whole' | 'known box' | 'cold' | 'memory' | 'failed';

export function wayToStart({ backend, fallback, missing, isKnownBox, isOver }: Start): WayToStart {
  const reasons = [missing.supabase, missing.redis].filter((reason) => reason !== undefined);
  if (reasons.length === 0) return 'whole';
  if (isKnownBox && !isOver && !reasons.some(isRefusal)) return 'known box';
  if (fallback === undefined) return 'failed';
  return backend === 'dual' && missing.supabase === undefined ? 'cold' : 'memory';
}

/** Whether a neighbour answered, and does not let us in: waiting mends nothing. */
export function isRefusal(error: unknown): boolean {
  return error instanceof RedisRefused || error instanceof SupabaseRefused;
}
