/** A time as it stands in names: `20260401_093000`, UTC. */
export function timestamp(at: Date): string {
  return at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '_');
}
