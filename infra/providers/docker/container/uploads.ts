import { accessSync, constants, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { pack } from 'tar-stream';
import type { CheckFailure } from '../../plugin/resource.ts';
import type { ContainerInputs } from './inputs.ts';

type Upload = NonNullable<ContainerInputs['uploads']>[number];

/** One file on its way into a container that has not started: `directory` is there by then, `name` is below it. */
export interface UploadRequest {
  readonly directory: string;
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Where a file goes. The engine writes into a read-only root file system only where a volume is mounted, and only when
 * that is the directory it is told; anywhere else it makes the directories that are missing.
 */
export function uploadRequest(upload: Upload, inputs: ContainerInputs): UploadRequest {
  const mode = upload.permissions ? Number.parseInt(upload.permissions, 8) : upload.executable ? 0o744 : 0o644;
  const directory = (inputs.readOnly && mountedAbove(upload.file, inputs)) || '/';
  return {
    directory,
    name: posix.relative(directory, upload.file),
    mode,
    uid: Number(upload.owner ?? 0),
    gid: Number(upload.group ?? 0),
  };
}

/** The deepest writable mount of a volume that holds the path. A tmpfs exists in a running container only. */
function mountedAbove(file: string, { volumes = [], mounts = [] }: ContainerInputs): string | undefined {
  const targets = [
    ...volumes.filter(({ readOnly }) => !readOnly).flatMap(({ containerPath }) => containerPath ?? []),
    ...mounts.filter(({ type, readOnly }) => type !== 'tmpfs' && !readOnly).map(({ target }) => target),
  ];
  return targets
    .filter((target) => !posix.relative(target, file).startsWith('..'))
    .sort((a, b) => b.length - a.length)[0];
}

/** What can be told before a container is made: missing sources, and files where the engine will not write. */
export function checkUploads(inputs: ContainerInputs): CheckFailure[] {
  return (inputs.uploads ?? []).flatMap((upload, index) => {
    const failures: CheckFailure[] = [];
    if (inputs.readOnly && mountedAbove(upload.file, inputs) === undefined)
      failures.push({
        property: `uploads[${index}].file`,
        reason: `${upload.file} lies in a root file system that is read-only: mount a volume there (a tmpfs does not do)`,
      });
    if (upload.source && !isReadable(upload.source))
      failures.push({ property: `uploads[${index}].source`, reason: `there is no readable file ${upload.source}` });
    return failures;
  });
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false; // the failure that is reported names the path
  }
}

export async function putUploads(container: Docker.Container, inputs: ContainerInputs, abortSignal: AbortSignal) {
  for (const upload of inputs.uploads ?? []) {
    const { directory, name, ...attributes } = uploadRequest(upload, inputs);
    const archive = pack();
    archive.entry({ name, ...attributes, mtime: new Date() }, contentOf(upload));
    archive.finalize();
    await container.putArchive(await buffer(archive), { path: directory, abortSignal });
  }
}

function contentOf({ content, contentBase64, source }: Upload): Buffer {
  if (source) return readFileSync(source);
  return contentBase64 ? Buffer.from(contentBase64, 'base64') : Buffer.from(content ?? '', 'utf8');
}
