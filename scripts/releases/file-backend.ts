import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

/** The folders of a file backend that hold one stack: `PULUMI_BACKEND_URL` of the form file://…. */
export interface StackFolders {
  readonly history: string;
  readonly stacks: string;
}

/** Whether the state is kept in files here, as it is unless PULUMI_BACKEND_URL names something else. */
export function isFileBackend(): boolean {
  return process.env.PULUMI_BACKEND_URL?.startsWith('file://') ?? false;
}

/** The stacks of this project in the file backend. */
export function stackNames(): string[] {
  const names = namesIn(stackFolders('').stacks).flatMap((name) => /^(.+)\.json(?:\.gz)?$/.exec(name)?.[1] ?? []);
  return [...new Set(names)];
}

/** Where the file backend keeps a stack. Throws, with the way for the others, where the backend is none. */
export function stackFolders(stack: string): StackFolders {
  const backend = process.env.PULUMI_BACKEND_URL ?? '';
  if (!isFileBackend()) {
    const kind = backend.split(':')[0] || 'Pulumi Cloud';
    throw new Error(
      `The history of stack ${stack} is kept elsewhere (${kind}), and only that of a file backend can be read here. ` +
        'What to do by hand: docs/rollback.md, "Other backends".',
    );
  }
  const root = join(fileURLToPath(backend), '.pulumi');
  return { history: join(root, 'history', project(), stack), stacks: join(root, 'stacks', project()) };
}

function project(): string {
  const name = /^name: *(\S+)/m.exec(readFileSync('Pulumi.yaml', 'utf8'))?.[1];
  if (!name) throw new Error('Pulumi.yaml has no name: run this in the folder of the project');
  return name;
}

/** The names in a folder; none where there is no such folder. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** The text of a file that Pulumi wrote, compressed or not; undefined where there is neither. */
export function backendText(path: string): string | undefined {
  for (const file of [path, `${path}.gz`]) {
    try {
      const bytes = readFileSync(file);
      return (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString('utf8');
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return undefined;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
