import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** A registry in memory, on loopback, for one login: as much of the distribution API as an engine uses. */
export class Registry {
  readonly login = { username: 'me', password: 'only for this test' };
  readonly #blobs = new Map<string, Buffer>();
  readonly #manifests = new Map<string, { readonly type: string; readonly body: Buffer }>();
  readonly #uploads = new Map<string, Buffer>();
  readonly #server = createServer((request, response) => {
    this.#answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  #host = '';

  /** `127.0.0.1:port`, which an engine takes without TLS. */
  get host(): string {
    return this.#host;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (typeof address !== 'object' || !address) throw new Error('the registry got no port');
    this.#host = `127.0.0.1:${address.port}`;
    return this;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const expected = `Basic ${Buffer.from(`${this.login.username}:${this.login.password}`).toString('base64')}`;
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    if (request.headers.authorization !== expected) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"', 'content-type': 'application/json' });
      response.end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
      return;
    }
    const url = new URL(request.url ?? '/', `http://${this.#host}`);
    const [, name = '', kind = '', reference = ''] =
      /^\/v2\/(.+?)\/(manifests|blobs\/uploads|blobs)\/(.*)$/.exec(url.pathname) ?? [];
    if (kind === 'manifests') await this.#manifest(request, response, `${name}:${reference}`, name);
    else if (kind === 'blobs/uploads')
      await this.#upload(request, response, name, reference, url.searchParams.get('digest'));
    else if (kind === 'blobs')
      send(response, this.#blobs.get(reference), request.method, { 'docker-content-digest': reference });
    else response.writeHead(200).end();
  }

  async #manifest(request: IncomingMessage, response: ServerResponse, key: string, name: string): Promise<void> {
    if (request.method === 'PUT') {
      const manifest = { type: request.headers['content-type'] ?? '', body: await buffer(request) };
      const digest = digestOf(manifest.body);
      this.#manifests.set(key, manifest).set(`${name}:${digest}`, manifest);
      response.writeHead(201, { 'docker-content-digest': digest }).end();
      return;
    }
    const found = this.#manifests.get(key);
    const headers = found ? { 'content-type': found.type, 'docker-content-digest': digestOf(found.body) } : {};
    send(response, found?.body, request.method, headers);
  }

  async #upload(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    id: string,
    digest: string | null,
  ): Promise<void> {
    const upload = id === '' ? String(this.#uploads.size + 1) : id;
    const received = Buffer.concat([this.#uploads.get(upload) ?? Buffer.alloc(0), await buffer(request)]);
    this.#uploads.set(upload, received);
    if (request.method === 'PUT' && digest) {
      this.#blobs.set(digest, received);
      response.writeHead(201, { 'docker-content-digest': digest }).end();
      return;
    }
    const location = `/v2/${name}/blobs/uploads/${upload}`;
    response
      .writeHead(202, { location, range: `0-${Math.max(0, received.length - 1)}`, 'docker-upload-uuid': upload })
      .end();
  }
}

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

function send(response: ServerResponse, body: Buffer | undefined, method: string | undefined, headers: object): void {
  if (!body) {
    response.writeHead(404, { 'content-type': 'application/json' });
    response.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
    return;
  }
  response.writeHead(200, { ...headers, 'content-length': body.length });
  response.end(method === 'HEAD' ? undefined : body);
}
