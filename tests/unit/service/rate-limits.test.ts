import { afterEach, describe, expect, it, vi } from 'vitest';
import { clientAddress, networks } from '../../../service/http/client-address.ts';
import { httpApi, userHeaders } from './http-api.ts';

afterEach(() => void vi.useRealTimers());

const unknown = '/v1/conversations/00000000-0000-4000-8000-000000000000';

describe('a limit of requests a minute', () => {
  it('lets through as many, tells how many are left, and refuses the next until the minute is over', async () => {
    const { send, lines } = httpApi({ rateLimits: { user: 3 } });
    const headers = await userHeaders();
    const replies = [];
    for (let request = 0; request < 4; request++) replies.push(await send('GET', unknown, undefined, headers));
    expect(replies.map(({ status }) => status)).toEqual([404, 404, 404, 429]);
    const left = replies.map((reply) => /r=(\d+)/.exec(reply.headers.get('ratelimit') ?? '')?.[1]);
    expect(left).toEqual(['2', '1', '0', '0']);
    const refused = replies[3];
    expect(refused?.headers.get('ratelimit-policy')).toBe('"user";q=3;w=60');
    expect(refused?.body).toMatchObject({ status: 429, code: 'rate_limited', title: 'Too Many Requests' });
    expect(Number(refused?.headers.get('retry-after'))).toSatisfy((seconds: number) => seconds > 55 && seconds <= 60);
    expect(lines.at(-1)).toContain('"code":"rate_limited"');
  });

  it('is one for each user, and another for the server', async () => {
    const { send } = httpApi({ rateLimits: { user: 1, server: 2 } });
    const [first, second] = [await userHeaders(), await userHeaders()];
    const status = async (headers: object) => (await send('GET', unknown, undefined, { ...headers })).status;
    expect(await status(first)).toBe(404);
    expect(await status(first)).toBe(429);
    expect(await status(second)).toBe(404);
    expect([await status({}), await status({}), await status({})]).toEqual([404, 404, 429]);
  });

  it('holds for requests that come all at once', async () => {
    const { send } = httpApi({ rateLimits: { server: 20 } });
    const replies = await Promise.all(Array.from({ length: 50 }, () => send('GET', unknown)));
    expect(replies.filter(({ status }) => status === 429)).toHaveLength(30);
  });

  it('is none when it is 0, and concerns nobody who asks how the service is', async () => {
    const { send } = httpApi({ rateLimits: { server: 0, user: 1 } });
    for (let request = 0; request < 50; request++) {
      const reply = await send('GET', unknown);
      expect([reply.status, reply.headers.get('ratelimit')]).toEqual([404, null]);
    }
    const headers = await userHeaders();
    for (let request = 0; request < 5; request++)
      expect((await send('GET', '/health', undefined, headers)).status).toBe(200);
  });
});

describe('failed authentications', () => {
  const from = (address: string, forwardedFor?: string) => ({
    request: new Request(`http://x${unknown}`, {
      headers: { authorization: 'Bearer nothing', ...(forwardedFor ? { 'x-forwarded-for': forwardedFor } : {}) },
    }),
    bindings: { incoming: { socket: { remoteAddress: address } } },
  });

  it('of one address are refused otherwise from the limit on; a good token from there is not', async () => {
    const { app, send } = httpApi({ rateLimits: { failed: 2 } });
    const ask = async (address: string, forwardedFor?: string) => {
      const { request, bindings } = from(address, forwardedFor);
      return (await app.fetch(request, bindings)).status;
    };
    expect([await ask('203.0.113.1'), await ask('203.0.113.1'), await ask('203.0.113.1')]).toEqual([401, 401, 429]);
    expect(await ask('203.0.113.2')).toBe(401);
    expect((await send('GET', unknown)).status).toBe(404);
    // Behind the proxy everybody has an address of their own.
    for (const client of ['198.51.100.1', '198.51.100.2', '198.51.100.3'])
      expect(await ask('172.18.0.2', client)).toBe(401);
  });

  it.each([
    ['the proxy says', '172.18.0.2', '198.51.100.7', '198.51.100.7'],
    ['the proxy says, whatever the client told it', '::ffff:172.18.0.2', '10.9.9.9, 198.51.100.7', '198.51.100.7'],
    ['of the connection, when no proxy holds it', '203.0.113.9', '198.51.100.7', '203.0.113.9'],
    ['of the proxy, when it says none', '172.18.0.2', undefined, '172.18.0.2'],
    ['of the proxy, when what it says is none', '172.18.0.2', 'unknown', '172.18.0.2'],
    ['of IPv6', 'fd00::2', '2001:db8::1', '2001:db8::1'],
  ])('are counted for the address that is %s', (_what, peer, forwardedFor, expected) => {
    const bindings = { incoming: { socket: { remoteAddress: peer } } };
    expect(clientAddress(bindings, forwardedFor, networks('private'))).toBe(expected);
  });

  it('are counted for the connection of a network that is not trusted', () => {
    const bindings = { incoming: { socket: { remoteAddress: '172.18.0.2' } } };
    expect(clientAddress(bindings, '198.51.100.7', networks('10.0.0.0/8, 192.0.2.1'))).toBe('172.18.0.2');
    expect(() => networks('caddy')).toThrow();
  });
});
