import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { connect } from '../../../infra/providers/supabase/database/database.ts';
import { parseDatabaseUrl } from '../../../infra/providers/supabase/database/database-url.ts';
import { startPostgres, type TestPostgres } from '../../support/containers.ts';
import { certificate, privateKey } from './tls-certificate.ts';

/** Connections that do not come about at once, or not at all, and encrypted ones. */
let postgres: TestPostgres;
const servers: Server[] = [];

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close();
  }
});

/** A loopback server in front of PostgreSQL; its URL with the right user and password. */
async function inFront(handle: (client: Socket, connection: number) => void, parameters = ''): Promise<string> {
  let connections = 0;
  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    handle(client, ++connections);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return `postgres://postgres:${postgres.password}@127.0.0.1:${port}/postgres${parameters}`;
}

function forward(client: Socket): void {
  const upstream = connectTcp(postgres.port, postgres.host);
  upstream.on('error', () => client.destroy());
  client.on('error', () => upstream.destroy());
  client.pipe(upstream).pipe(client);
}

/** Answers PostgreSQL's request for TLS with yes, and speaks plainly to the server behind. */
function encrypt(client: Socket): void {
  client.once('data', () => {
    client.write('S');
    forward(new TLSSocket(client, { isServer: true, cert: certificate, key: privateKey }));
  });
}

/** What a server says that is not ready for log-ins. */
function startingUp(): Buffer {
  const fields = Buffer.from('SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0');
  const header = Buffer.alloc(5);
  header.write('E');
  header.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([header, fields]);
}

async function open(url: string, patience = { connectTimeout: 5, startupTimeout: 30 }) {
  const progress: string[] = [];
  const options = {
    signal: new AbortController().signal,
    progress: (line: string) => progress.push(line),
    ...patience,
  };
  const database = await connect(parseDatabaseUrl(url), options);
  try {
    return { progress, rows: await database.query('select 1 as one') };
  } finally {
    await database.close();
  }
}

const refuse = (client: Socket) => client.once('data', () => client.end(startingUp()));

test('a server that is starting up is waited for, and that is said once', async () => {
  const url = await inFront(
    (client, connection) => (connection <= 3 ? refuse(client) : forward(client)),
    '?sslmode=disable',
  );
  const { rows, progress } = await open(url);
  expect(rows).toEqual([{ one: 1 }]);
  expect(progress).toEqual([
    expect.stringMatching(/^the database at 127\.0\.0\.1:\d+\/postgres is starting up: waiting up to 30 s$/),
  ]);
});

test('the waiting ends', async () => {
  const url = await inFront(refuse, '?sslmode=disable');
  await expect(open(url, { connectTimeout: 5, startupTimeout: 1 })).rejects.toThrow(
    /can't be reached: the server is starting up, or shutting down \(the database system is starting up\)/,
  );
});

test('a server that never answers is given up', async () => {
  const url = await inFront(() => undefined);
  await expect(open(url, { connectTimeout: 1, startupTimeout: 30 })).rejects.toThrow(
    "can't be reached: no answer in time",
  );
});

test('nothing there, no such host, no such database, a wrong password: each in its own words', async () => {
  const at = (change: (url: URL) => void) => {
    const url = new URL(postgres.url);
    change(url);
    return open(url.href);
  };
  const port = '1'; // where nobody listens, and no other test does in the meantime
  await expect(at((url) => Object.assign(url, { port }))).rejects.toThrow('nothing listens there');
  await expect(at((url) => Object.assign(url, { hostname: 'no-such-host.invalid' }))).rejects.toThrow('no such host');
  await expect(at((url) => Object.assign(url, { pathname: '/nowhere' }))).rejects.toThrow('there is no such database');
  await expect(at((url) => Object.assign(url, { password: 'wrong' }))).rejects.toThrow('the password is wrong');
  await expect(at((url) => Object.assign(url, { password: 'wrong' }))).rejects.not.toThrow(/wrong@|:wrong/);
});

test('sslmode=require encrypts, and refuses a server that does not', async () => {
  expect((await open(await inFront(encrypt, '?sslmode=require'))).rows).toEqual([{ one: 1 }]);
  await expect(open(`${postgres.url}?sslmode=require`)).rejects.toThrow(
    "can't be reached: the server does not speak TLS",
  );
});

test('sslmode=verify-full wants a certificate that is trusted', async () => {
  await expect(open(await inFront(encrypt, '?sslmode=verify-full'))).rejects.toThrow(
    /can't be reached: its certificate is not trusted: name the authority that signed it with sslrootcert \(self-signed/,
  );
  const folder = mkdtempSync(join(tmpdir(), 'certificate-'));
  const path = join(folder, 'root.pem');
  writeFileSync(path, certificate);
  try {
    const url = await inFront(encrypt, `?sslmode=verify-full&sslrootcert=${encodeURIComponent(path)}`);
    expect((await open(url)).rows).toEqual([{ one: 1 }]);
    expect((await open(url.replace('127.0.0.1', 'localhost'))).rows).toEqual([{ one: 1 }]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
