import { createHash } from 'node:crypto';
import { type Manifest, machines, type Part } from './manifest.ts';

/** Bytes from the begin of a bundle to its first part. */
export const headerBytes = 64 * 1024;

/**
 * The begin of a bundle: a shell script that knows the parts behind it and installs them. Its second line holds the
 * digest of all that follows in the header, so that no damaged script runs.
 *
 * @param installer  text of install.sh
 * @param parts  manifest included
 */
export function bundleHeader(installer: string, manifest: Manifest, parts: readonly Part[]): Buffer {
  const machine = machines[manifest.architecture];
  if (machine === undefined) throw new Error(`there is no bundle for the processor ${manifest.architecture}`);
  const end = parts.at(-1);
  const values = {
    version: manifest.version,
    commit: manifest.commit,
    machine,
    glibc: manifest.glibc,
    stack: manifest.stack === 'local' ? '' : ` -- --stack ${manifest.stack}`,
    total: String(end ? end.offset + end.bytes : headerBytes),
    parts: parts
      .map(({ name, offset, bytes, sha256, unpacked, kind }) => [name, offset, bytes, sha256, unpacked, kind].join(' '))
      .join('\n'),
  };
  const settings = Object.entries(values).map(([name, value]) => `${name}='${plain(value)}'`);
  const script = `set -eu\nself=$0\n${settings.join('\n')}\n\n${installer}`;
  const guarded = (digest: string) =>
    `#!/bin/sh\n[ "$(head -c ${headerBytes} -- "$0" 2>/dev/null | tail -n +3 | sha256sum)" = '${digest}  -' ] || { echo "$0 is damaged, or can't be read: copy it again, and run it as: sh FILE" >&2; exit 1; }\n`;
  const room = headerBytes - Buffer.byteLength(guarded('0'.repeat(64)) + script);
  if (room < 1) throw new Error(`the header of a bundle has ${-room} bytes more than there is room for`);
  const padded = `${script}${'#'.repeat(room - 1)}\n`;
  return Buffer.from(guarded(createHash('sha256').update(padded).digest('hex')) + padded);
}

/** They stand in single quotes, in a shell script. */
function plain(value: string): string {
  if (value.includes("'")) throw new Error(`${JSON.stringify(value)} can't be put into the header of a bundle`);
  return value;
}
