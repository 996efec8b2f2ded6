/** An array on its way to PostgreSQL, before the type of its column is known: an array there, or JSON. */
export class ArrayValue {
  readonly #items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    this.#items = items;
  }
  toJSON(): readonly unknown[] {
    return this.#items;
  }
}

/** PostgreSQL's literal of an array: `{"a","b",NULL}`. A text is taken for a literal already. */
export function arrayLiteral(value: unknown, element: (item: unknown) => string, delimiter: string): string {
  if (!(value instanceof ArrayValue)) return String(value);
  const items = value.toJSON().map((item) => {
    if (item === null || item === undefined) return 'NULL';
    if (item instanceof ArrayValue) return arrayLiteral(item, element, delimiter);
    return `"${element(item).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  });
  return `{${items.join(delimiter)}}`;
}

/** The values of an array's literal; arrays in it are arrays, NULL is null. */
export function parseArray(literal: string, element: (item: string) => unknown, delimiter: string): unknown[] {
  let at = literal.indexOf('{') + 1; // bounds such as [0:1]= may stand before it

  const item = (): unknown => {
    if (literal[at] === '{') {
      at += 1;
      return items();
    }
    if (literal[at] !== '"') {
      const start = at;
      while (at < literal.length && literal[at] !== delimiter && literal[at] !== '}') at += 1;
      const text = literal.slice(start, at);
      return text === 'NULL' ? null : element(text);
    }
    let text = '';
    for (at += 1; literal[at] !== '"'; at += 1) {
      if (literal[at] === '\\') at += 1;
      text += literal[at];
    }
    at += 1;
    return element(text);
  };

  const items = (): unknown[] => {
    const found: unknown[] = [];
    while (literal[at] !== '}') {
      found.push(item());
      if (literal[at] === delimiter) at += 1;
      else if (literal[at] !== '}') throw new Error(`no literal of an array: ${literal}`);
    }
    at += 1;
    return found;
  };

  return items();
}
