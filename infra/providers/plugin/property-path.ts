/** The way to a value inside properties: names of keys and numbers of elements. */
export type PropertyPath = readonly (string | number)[];

/** As Pulumi writes it: `ports[0].internal`, and `labels["a.b"]` for a key that is not a plain name. */
export function formatPath(path: PropertyPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    if (!/^[A-Za-z_$][\w$-]*$/.test(part)) return `${text}[${JSON.stringify(part)}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}

/** Name of the input or output that a written path begins with. */
export function propertyOf(path: string): string {
  const quoted = /^\["((?:[^"\\]|\\.)*)"\]/.exec(path);
  if (quoted?.[0] !== undefined) return String(JSON.parse(quoted[0].slice(1, -1)));
  return path.split(/[.[]/, 1)[0] ?? path;
}

export function valueAt(value: unknown, path: PropertyPath): unknown {
  return path.reduce<unknown>((at, part) => {
    if (Array.isArray(at)) return typeof part === 'number' ? at[part] : undefined;
    return typeof at === 'object' && at !== null ? new Map(Object.entries(at)).get(String(part)) : undefined;
  }, value);
}
