import type { Complaint } from './reality.ts';

/** What could not be looked at, from what providers said about single resources; each line once. */
export function unseenOf(complaints: readonly Complaint[]): string[] {
  const own = complaints.filter(({ urn, severity }) => urn !== undefined && severity !== 'info');
  const lines = own.map(({ message }) => message.replace(/^(error|warning): (Preview failed: )?/, '').trim());
  return [...new Set(lines)];
}
