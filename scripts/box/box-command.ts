/** A command for a box: what runs there, as whom, and what it reads. */
export interface BoxCommand {
  readonly argv: readonly string[];
  /** `login`: as who logged in; `root`: as root, by sudo where that is somebody else. */
  readonly as: 'login' | 'root';
  /** For its standard input. */
  readonly input?: string;
}

export const asRoot = (...argv: string[]): BoxCommand => ({ argv, as: 'root' });
export const asLogin = (...argv: string[]): BoxCommand => ({ argv, as: 'login' });

/** Several commands, of which the first that fails ends the script. */
export const rootScript = (...lines: string[]): BoxCommand => asRoot('sh', '-ec', lines.join('\n'));

/**
 * Puts a file there in one go, so that no reader sees half of it, and nobody but root changes it.
 */
export function writeFile(path: string, text: string, mode = '644'): BoxCommand {
  const made = `${path}.new`;
  const lines = [
    `install -d -m 755 ${quoted(parentOf(path))}`,
    `cat >${quoted(made)}`,
    `chmod ${mode} ${quoted(made)}`,
    `sync ${quoted(made)}`,
    `mv ${quoted(made)} ${quoted(path)}`,
  ];
  return { ...rootScript(...lines), input: text };
}

/** The one line that ssh hands to the shell of the box. */
export function remoteLine({ argv, as }: BoxCommand, loginIsRoot: boolean): string {
  const words = as === 'root' && !loginIsRoot ? ['sudo', '-n', '--', ...argv] : argv;
  return words.map(quoted).join(' ');
}

/** A word as a POSIX shell takes it literally. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

const parentOf = (path: string) => path.slice(0, path.lastIndexOf('/')) || '/';
