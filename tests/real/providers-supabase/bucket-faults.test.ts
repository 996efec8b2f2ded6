import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { contextFor, definition, inputs } from './bucket-fixtures.ts';

/** Storage APIs that misbehave, over real HTTP: what is asked again, what is not, and where it ends. */
type Reply = (response: ServerResponse, next: () => void) => void;

const key = 'sb_secret_0123456789abcdef';
const cleanup: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0)) await close();
});

const status =
  (code: number, headers: Record<string, string> = {}): Reply =>
  (response) =>
    response.writeHead(code, { 'content-type': 'application/json', ...headers }).end('{"message":"injected"}');
/** Does what was asked, and cuts the connection instead of answering. */
const cut: Reply = (response, next) => {
  next();
  response.destroy();
};
/** Does what was asked, and answers 500. */
const lost: Reply = (response, next) => {
  next();
  status(500)(response, next);
};

/** A Storage API with one bucket at most; each entry of `faults` replaces the answer to one request. */
async function storage(faults: Readonly<Record<string, Reply[]>>) {
  const buckets = new Map<string, object>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const line = `${request.method} ${request.url}`;
      requests.push(line);
      const answer = () => carryOut(request, Buffer.concat(chunks).toString(), buckets);
      const fault = faults[line]?.shift();
      if (fault) return fault(response, answer);
      const [code, body] = answer();
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.push(() => new Promise((resolve) => server.close(() => resolve())));
  const address = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${address.port}`, requests, buckets };
}

function carryOut(request: IncomingMessage, body: string, buckets: Map<string, object>): [number, object] {
  const notFound: [number, object] = [
    400,
    { statusCode: '404', error: 'Bucket not found', message: 'Bucket not found' },
  ];
  const name = request.url?.split('/')[4] ?? '';
  if (request.method === 'POST') {
    const asked: { name: string } = JSON.parse(body);
    if (buckets.has(asked.name)) return [400, { statusCode: '409', error: 'Duplicate', message: 'already exists' }];
    buckets.set(asked.name, asked);
    return [200, { name: asked.name }];
  }
  const bucket = buckets.get(name);
  if (!bucket) return notFound;
  if (request.method === 'DELETE') buckets.delete(name);
  if (request.method === 'PUT') buckets.set(name, JSON.parse(body));
  return [200, bucket];
}

const read = 'GET /storage/v1/bucket/files';
const create = 'POST /storage/v1/bucket';
const wanted = inputs({ name: 'files', fileSizeLimit: '1MB' });

test('after 429 it asks again when it is told to, and says so', async () => {
  const { url, requests, buckets } = await storage({
    [read]: [status(429, { 'retry-after': '1' })],
    [create]: [status(429, { 'retry-after': '0' })],
  });
  const context = contextFor(url, key);
  await definition.create(wanted, context);
  expect(requests).toEqual([read, read, create, create]);
  expect(buckets.size).toBe(1);
  const host = new URL(url).host;
  expect(context.said.progress).toEqual([
    `${host} answered 429: asking again in 1 s (2 of 5)`,
    `${host} answered 429: asking again in 0 s (2 of 5)`,
  ]);
});

test.each([
  ['a 500', status(500), 'answered 500'],
  ['a cut connection', cut, 'did not answer (other side closed)'],
])('%s while reading is asked again', async (_, fault, said) => {
  const { url, requests } = await storage({ [read]: [fault] });
  const context = contextFor(url, key);
  await definition.create(wanted, context);
  expect(requests).toEqual([read, read, create]);
  const [line = '', ...more] = context.said.progress;
  expect(more).toEqual([]);
  expect(line).toContain(`${new URL(url).host} ${said}: asking again in 0.`);
});

test.each([
  ['cut', cut],
  ['answered with 500', lost],
])('a bucket whose creation was %s is recognised as made, and made once', async (_, fault) => {
  const { url, requests } = await storage({ [create]: [fault] });
  expect(await definition.create(wanted, contextFor(url, key))).toMatchObject({ id: 'files' });
  expect(requests).toEqual([read, create, read]);
});

test('a creation that failed is not taken for one that worked', async () => {
  const { url, requests } = await storage({ [create]: [status(500)] });
  await expect(definition.create(wanted, contextFor(url, key))).rejects.toThrow('making bucket files at');
  expect(requests).toEqual([read, create, read]);
});

test.each([400, 401, 403, 413, 422])('%d is never asked again', async (code) => {
  const { url, requests } = await storage({ [read]: [status(code)] });
  await expect(definition.create(wanted, contextFor(url, key))).rejects.toThrow(`injected (HTTP ${code})`);
  expect(requests).toEqual([read]);
});

test('it gives up after five times, with the last answer', async () => {
  const { url, requests } = await storage({
    [read]: Array.from({ length: 9 }, () => status(503, { 'retry-after': '0' })),
  });
  await expect(definition.create(wanted, contextFor(url, key))).rejects.toThrow(
    `reading bucket files at ${url} failed: injected (HTTP 503)`,
  );
  expect(requests).toHaveLength(5);
});

test('an address where nothing listens is named, with the reason and without the key', async () => {
  const url = 'http://127.0.0.1:2';
  const context = contextFor(url, key);
  const error: unknown = await definition.create(wanted, context).catch((thrown: unknown) => thrown);
  expect(String(error)).toContain(`reading bucket files at ${url} failed: connect ECONNREFUSED`);
  expect(String(error) + context.said.progress.join()).not.toContain(key);
});

test('cancelling ends the waiting', async () => {
  const { url } = await storage({ [read]: [status(503, { 'retry-after': '30' })] });
  const abort = new AbortController();
  const running = definition.create(wanted, contextFor(url, key, abort.signal));
  setTimeout(() => abort.abort(new Error('cancelled')), 200);
  await expect(running).rejects.toThrow('reading bucket files');
});

test('what is not configured is said, with the ways to set it', async () => {
  const context = { ...contextFor('', key), config: {} };
  await expect(definition.create(wanted, context)).rejects.toThrow(
    'the Supabase provider has no url: pass it to new supabase.Provider(…), or: pulumi config set supabase:url <value>, or set SUPABASE_URL',
  );
});
