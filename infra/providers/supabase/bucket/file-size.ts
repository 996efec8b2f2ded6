import { z } from 'zod';

const bytesPerUnit: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
};

/** Bytes of `"50MB"` (decimal, as Supabase Storage reads it), `"50MiB"` (binary) or a number; undefined when it is no size. */
export function bytesOf(size: string | number): number | undefined {
  if (typeof size === 'number') return size;
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?([KMG]?i?B)$/i.exec(size) ?? [];
  const factor = bytesPerUnit[unit.toUpperCase()];
  return number === undefined || factor === undefined ? undefined : Math.round(Number(number) * factor);
}

/** A positive number of bytes, or text that {@link bytesOf} understands. */
export const fileSize = z.union([z.number(), z.string()]).refine((size) => {
  const bytes = bytesOf(size);
  return bytes !== undefined && Number.isSafeInteger(bytes) && bytes > 0;
}, 'must be a size such as "50MB" (decimal) or "50MiB" (binary), or a number of bytes');
