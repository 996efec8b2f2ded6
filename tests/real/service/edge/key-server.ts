import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

/** Signs tokens as a project with asymmetric keys does, and shows its public keys. */
export interface KeyServer {
  readonly url: string;
  readonly document: URL;
  /** How often the document was asked for. */
  readonly asked: () => number;
  /** Another key; `shown`: it is in the document. */
  addKey(shown?: boolean): Promise<string>;
  show(kid: string): void;
  hide(kid: string): void;
  sign(kid: string, sub: string, claims?: Record<string, unknown>): Promise<string>;
  /** Answers no more, or again. */
  away(isAway: boolean): void;
  close(): Promise<void>;
}

export async function startKeyServer(): Promise<KeyServer> {
  const keys = new Map<string, { jwk: JWK; privateKey: CryptoKey }>();
  const shown = new Set<string>();
  let asked = 0;
  let isAway = false;
  const server = createServer((request, response) => {
    asked++;
    if (isAway) {
      request.socket.destroy();
      return;
    }
    const document = { keys: [...shown].flatMap((kid) => keys.get(kid)?.jwk ?? []) };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    document: new URL('/auth/v1/.well-known/jwks.json', url),
    asked: () => asked,
    async addKey(isShown = true) {
      const kid = randomUUID();
      const { publicKey, privateKey } = await generateKeyPair('ES256');
      keys.set(kid, { jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }, privateKey });
      if (isShown) shown.add(kid);
      return kid;
    },
    show: (kid) => void shown.add(kid),
    hide: (kid) => void shown.delete(kid),
    async sign(kid, sub, claims = {}) {
      const key = keys.get(kid);
      if (key === undefined) throw new Error(`no key ${kid}`);
      const payload = { sub, role: 'authenticated', aud: 'authenticated', iss: `${url}/auth/v1`, ...claims };
      return new SignJWT(payload)
        .setProtectedHeader({ alg: 'ES256', kid })
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(key.privateKey);
    },
    away(away) {
      isAway = away;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
