import { limits } from './limits.ts';

/** What is wrong with a JSON value, and where: `messages.0.metadata.size`. */
export interface JsonFault {
  readonly code: 'too_deep' | 'number_out_of_range' | 'invalid_text' | 'invalid_key';
  readonly path: string;
  readonly message: string;
}

/**
 * What neither JSON nor JavaScript minds, but what would not come back as it was sent: numbers that JavaScript rounds,
 * text that PostgreSQL can't hold. Undefined when the value is sound. Does not recurse: depth is a limit, not a danger.
 */
export function findJsonFault(value: unknown): JsonFault | undefined {
  const open: { value: unknown; path: string; depth: number }[] = [{ value, path: '', depth: 1 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const fault = faultOf(next.value, next.path, next.depth);
    if (fault !== undefined) return fault;
    if (typeof next.value !== 'object' || next.value === null) continue;
    for (const [key, member] of Object.entries(next.value)) {
      const path = next.path === '' ? key : `${next.path}.${key}`;
      if (!Array.isArray(next.value)) {
        const problem = keyFault(key, next.path);
        if (problem !== undefined) return problem;
      }
      if (typeof member === 'object' || !isSound(member)) open.push({ value: member, path, depth: next.depth + 1 });
    }
  }
  return undefined;
}

function faultOf(value: unknown, path: string, depth: number): JsonFault | undefined {
  if (typeof value === 'object' && value !== null && depth > limits.jsonDepth) {
    return { code: 'too_deep', path: shown(path), message: `goes deeper than ${limits.jsonDepth} levels` };
  }
  if (isSound(value)) return undefined;
  if (typeof value === 'number') {
    const message = 'is beyond ±(2^53 - 1), where numbers lose digits: send it as a text';
    return { code: 'number_out_of_range', path, message };
  }
  return {
    code: 'invalid_text',
    path,
    message: 'has a NUL character or half a surrogate pair, which no text can hold',
  };
}

function keyFault(key: string, path: string): JsonFault | undefined {
  if (key !== '__proto__' && isSound(key)) return undefined;
  return {
    code: 'invalid_key',
    path: shown(path),
    message: 'has a key that can not be stored (__proto__, NUL, half a surrogate pair)',
  };
}

function isSound(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed() && !value.includes('\0');
  if (typeof value === 'number') return Math.abs(value) <= Number.MAX_SAFE_INTEGER;
  return true;
}

/** A path goes into an error: long ones, and what no text can hold, do not. */
function shown(path: string): string {
  return path.length <= 200 ? path.toWellFormed().replaceAll('\0', '') : `${path.slice(0, 200).toWellFormed()}…`;
}
