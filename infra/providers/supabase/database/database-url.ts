import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { z } from 'zod';

const sslModes = ['disable', 'prefer', 'require', 'verify-full'] as const;

/** Where a PostgreSQL server is and how to log in. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly sslMode: (typeof sslModes)[number];
  /** PEM file with the authority that signed the server's certificate; without it, those that Node.js trusts. */
  readonly sslRootCertificate: string | undefined;
}

/** A database URL can't be used. The message never repeats the URL: it holds a password. */
export class DatabaseUrlError extends Error {
  override readonly name = 'DatabaseUrlError';
}

/** Parses `postgres://user:password@host:5432/database?sslmode=require`. Throws {@link DatabaseUrlError}. */
export function parseDatabaseUrl(text: string): DatabaseAddress {
  // The error of `new URL` repeats its input, so it is not kept as a cause.
  if (!URL.canParse(text)) throw new DatabaseUrlError(`is not a URL: ${example} (special characters as %XX)`);
  const url = new URL(text);
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:') {
    throw new DatabaseUrlError(`must begin with postgres:// or postgresql://: ${example}`);
  }
  if (url.hostname === '') throw new DatabaseUrlError(`names no host: ${example}`);
  if (url.username === '') throw new DatabaseUrlError(`names no user: ${example}`);
  const parameters = new Map(url.searchParams);
  const unknown = [...parameters.keys()].find((name) => name !== 'sslmode' && name !== 'sslrootcert');
  if (unknown) throw new DatabaseUrlError(`has a parameter "${unknown}": there are sslmode and sslrootcert`);
  const sslMode = parameters.get('sslmode') ?? 'prefer';
  if (!isSslMode(sslMode)) throw new DatabaseUrlError(`has an sslmode other than ${sslModes.join(', ')}`);
  if (url.port === '6543' && /\.(pooler\.)?supabase\.(co|com)$/.test(url.hostname)) {
    throw new DatabaseUrlError(
      'is that of the transaction pooler (port 6543), where a lock does not outlive a statement: ' +
        'use the direct connection or the session pooler (port 5432)',
    );
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 5432 : Number(url.port),
    database: decode(url.pathname.slice(1)) || 'postgres',
    user: decode(url.username),
    password: decode(url.password),
    sslMode,
    sslRootCertificate: parameters.get('sslrootcert'),
  };
}

const example = 'postgres://postgres:<password>@<host>:5432/postgres';

const isSslMode = (text: string): text is DatabaseAddress['sslMode'] => sslModes.some((mode) => mode === text);

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // The error would say nothing more, and its neighbours may be the password.
    throw new DatabaseUrlError('has a % that does not begin an escape: write it as %25');
  }
}

/** Text that {@link parseDatabaseUrl} accepts. */
export const databaseUrlSchema = z.string().superRefine((text, check) => {
  try {
    parseDatabaseUrl(text);
  } catch (error) {
    if (!(error instanceof DatabaseUrlError)) throw error;
    check.addIssue({ code: 'custom', message: error.message });
  }
});

/** `host:port/database`, to be shown. */
export function placeOf({ host, port, database }: DatabaseAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}/${database}`;
}

/** TLS options of a connection; reads the certificate file. Throws {@link DatabaseUrlError}. */
export function tlsOf({ sslMode, sslRootCertificate, host }: DatabaseAddress) {
  if (sslMode === 'disable') return false;
  if (sslMode !== 'verify-full' && sslRootCertificate === undefined) return sslMode;
  const ca = sslRootCertificate === undefined ? {} : { ca: readCertificate(sslRootCertificate) };
  return { ...ca, ...(isIP(host) === 0 ? { servername: host } : { host }), rejectUnauthorized: true };
}

function readCertificate(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new DatabaseUrlError(`the database URL has an sslrootcert that can't be read: ${path}`, { cause });
  }
}
