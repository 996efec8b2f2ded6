/** A file of apt's, or what is kept of one. The ending of its name (`.list`, `.sources`) says which format it has. */
export interface SourcesFile {
  readonly name: string;
  readonly text: string;
}

/** What `/etc/os-release` says about the machine, as far as it matters here. */
export interface Distribution {
  /** Names of the release, such as `bookworm`; a derivative also names the one it builds on. */
  readonly codenames: readonly string[];
}

const sections = ['main', 'universe'];
const pockets = ['', '-updates', '-security'];

/**
 * Keeps of the machine's package sources those of the distribution itself: its release with updates and security
 * updates, and of that what it supports. Other people's repositories stay out: the image must not depend on what else
 * a machine has.
 */
export function distributionSources(files: readonly SourcesFile[], { codenames }: Distribution): SourcesFile[] {
  const suites = codenames.flatMap((codename) => pockets.map((pocket) => `${codename}${pocket}`));
  return files
    .map(({ name, text }) => ({
      name,
      text: name.endsWith('.sources') ? keptStanzas(text, suites) : keptLines(text, suites),
    }))
    .filter(({ text }) => text !== '');
}

/** Suites that these files ask for, each once, in their order: for people to read. */
export function suitesOf(files: readonly SourcesFile[]): string[] {
  const found = files.flatMap(({ name, text }) =>
    name.endsWith('.sources')
      ? stanzas(text).flatMap((stanza) => words(stanza.get('suites')))
      : text.split('\n').flatMap((line) => oneLine(line)?.suite ?? []),
  );
  return [...new Set(found)];
}

/** The names that an `os-release` file gives to the release. */
export function distributionOf(osRelease: string): Distribution {
  const names = ['VERSION_CODENAME', 'DEBIAN_CODENAME', 'UBUNTU_CODENAME'].flatMap((key) => {
    const value = new RegExp(`^${key}="?([^"\\n]+)"?$`, 'm').exec(osRelease)?.[1];
    return value ? [value] : [];
  });
  return { codenames: [...new Set(names)] };
}

/** Mirrors have many hosts, but a distribution's archive lies in a folder of its name on nearly all of them. */
function isDistributions(uri: string): boolean {
  const [, transport = '', path = ''] = /^([a-z+]+):(?:\/\/[^/]*)?(.*)$/.exec(uri) ?? [];
  return !transport.startsWith('cdrom') && /\/(debian|ubuntu)[^/]*(\/|$)/.test(path);
}

function keptLines(text: string, suites: readonly string[]): string {
  const kept = text.split('\n').flatMap((line) => {
    const entry = oneLine(line);
    if (!entry || !isDistributions(entry.uri) || !suites.includes(entry.suite)) return [];
    const components = entry.components.filter((component) => sections.includes(component));
    return components.length === 0 ? [] : `${entry.head} ${entry.uri} ${entry.suite} ${components.join(' ')}\n`;
  });
  return kept.join('');
}

/** `deb [options] uri suite components`; undefined for anything else, commented-out and source entries included. */
function oneLine(line: string) {
  const match = /^\s*(deb(?:\s+\[[^\]]*\])?)\s+(\S+)\s+(\S+)\s+([^#]+)/.exec(line);
  const [, head, uri, suite, components] = match ?? [];
  return head && uri && suite && components ? { head, uri, suite, components: words(components) } : undefined;
}

function keptStanzas(text: string, suites: readonly string[]): string {
  const kept = stanzas(text).flatMap((stanza) => {
    const wanted = new Map(stanza);
    const keep = (field: string, accepted: (word: string) => boolean) => {
      const left = words(stanza.get(field)).filter(accepted);
      wanted.set(field, left.join(' '));
      return left.length > 0;
    };
    const isWanted =
      !/^(no|false|0|off)$/i.test(stanza.get('enabled') ?? 'yes') &&
      keep('types', (type) => type === 'deb') &&
      keep('uris', isDistributions) &&
      keep('suites', (suite) => suites.includes(suite)) &&
      keep('components', (component) => sections.includes(component));
    return isWanted ? [[...wanted].map(([field, value]) => `${field}: ${value}\n`).join('')] : [];
  });
  return kept.join('\n');
}

/** The stanzas of a deb822 file as fields, names in lower case; continuation lines stay as they are. */
function stanzas(text: string): Map<string, string>[] {
  return text
    .split(/\n[ \t]*\n/)
    .map((block) => {
      const fields = new Map<string, string>();
      let last: string | undefined;
      for (const line of block.split('\n')) {
        if (line.startsWith('#') || line.trim() === '') continue;
        const [, name, value] = /^([^\s:]+):\s*(.*)$/.exec(line) ?? [];
        if (name !== undefined && value !== undefined) {
          last = name.toLowerCase();
          fields.set(last, value.trimEnd());
        } else if (last !== undefined) {
          fields.set(last, `${fields.get(last)}\n${line.trimEnd()}`);
        }
      }
      return fields;
    })
    .filter((fields) => fields.size > 0);
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}
