const factors: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

/** Bytes of "50MB" (decimal), "50MiB" (binary) or "1048576"; undefined when it is no size. */
export function parseSize(size: string | number): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(String(size));
  const factor = factors[match?.[2]?.toLowerCase() ?? 'none'];
  return match === null || factor === undefined ? undefined : Math.floor(Number(match[1]) * factor);
}
