import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CopyOptions, copyOutput, readInto } from './copy-stream.ts';

/** What every dump leaves out: tables that are lost in a crash anyway. Compressed, to be read with pg_restore. */
const dumpOptions = ['--format=custom', '--no-unlogged-table-data'];

const inContainer = ['--host=/run/postgresql', '--username=postgres'];

/** Dumps the database of the embedded Supabase out of its container. */
export async function dumpEmbedded(container: string, path: string, options: CopyOptions): Promise<void> {
  const pgDump = ['pg_dump', ...inContainer, ...dumpOptions, 'postgres'];
  await copyOutput(['docker', 'exec', container, ...pgDump], path, options);
  // Reads all of it: the list alone is at the beginning.
  await readInto(['docker', 'exec', '-i', container, 'pg_restore', '--file=/dev/null'], path, options);
}

/**
 * Dumps a hosted project's database with this machine's pg_dump. The password goes into a file of its own, which is
 * removed again.
 */
export async function dumpHosted(databaseUrl: string, path: string, options: CopyOptions): Promise<void> {
  const { connection, passwordLine } = databaseConnection(databaseUrl);
  const passwordFile = join(path, '..', 'password');
  await writeFile(passwordFile, `${passwordLine}\n`, { mode: 0o600 });
  try {
    const env = { ...options.env, PGPASSFILE: passwordFile, PGCONNECT_TIMEOUT: '30' };
    await copyOutput(['pg_dump', ...dumpOptions, ...connection], path, { ...options, env });
  } catch (cause) {
    throw new Error(
      'The hosted database could not be dumped. It takes a pg_dump of at least its version on this machine ' +
        '(Debian, Ubuntu: apt-get install postgresql-client). To deploy without a dump: --no-dump',
      { cause },
    );
  } finally {
    await rm(passwordFile, { force: true });
  }
  await readInto(['pg_restore', '--file=/dev/null'], path, options);
}

/** What pg_dump is told in its arguments, and the line of a password file. Throws when the address is none. */
export function databaseConnection(databaseUrl: string): { connection: string[]; passwordLine: string } {
  if (!URL.canParse(databaseUrl)) throw new Error('The address of the hosted database is none: set databaseUrl anew');
  const url = new URL(databaseUrl);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port || '5432';
  const user = decodeURIComponent(url.username) || 'postgres';
  const database = decodeURIComponent(url.pathname.slice(1)) || 'postgres';
  const field = (text: string) => text.replaceAll(/[\\:]/g, '\\$&');
  return {
    connection: [`--host=${host}`, `--port=${port}`, `--username=${user}`, '--no-password', `--dbname=${database}`],
    passwordLine: [host, port, database, user, decodeURIComponent(url.password)].map(field).join(':'),
  };
}
