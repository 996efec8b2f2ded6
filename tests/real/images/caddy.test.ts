import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request, WebSocket } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { docker, type Hardened, projectFile, workbench } from './hardened.ts';

describe('the image of Caddy', () => {
  const bench = workbench();
  const release = projectFile('tests/real/images/release.mjs');
  let image: string;
  let network: string;
  let caddy: Hardened;
  let blue: Hardened;
  let origin: string;
  let authority: string;
  let dispatcher: Agent;

  const upstream = (name: string) => `service-${name}:8079`;
  const get = async (path: string, headers: Record<string, string> = {}, through = dispatcher) => {
    const response = await request(`${origin}${path}`, { dispatcher: through, headers });
    return { status: response.statusCode, headers: response.headers, body: await response.body.text() };
  };
  const whoAnswers = async () => JSON.parse((await get('/')).body).release;
  const switchTo = async (name: string) => {
    const { exitCode, output } = await caddy.run('switch-release', upstream(name));
    expect(output).toBe(upstream(name));
    expect(exitCode).toBe(0);
  };
  /** The published port may be another one after a restart. */
  const reach = async () => {
    origin = `https://localhost:${await caddy.port(8443)}`;
    authority = (await caddy.run('cat', '/data/caddy/pki/authorities/local/root.crt')).output;
    dispatcher = new Agent({ connect: { ca: authority } });
  };

  beforeAll(async () => {
    const serviceImage = await bench.build('service', { 'main.mjs': release });
    network = await bench.network();
    image = await bench.build('caddy', { Caddyfile: projectFile('Caddyfile') });
    const [data, config, live] = await Promise.all([bench.volume(), bench.volume(), bench.volume()]);
    const service = (name: string) =>
      bench.start(serviceImage, { network, alias: `service-${name}`, environment: { RELEASE_ID: name } });
    [caddy, blue] = await Promise.all([
      bench.start(image, {
        network,
        alias: 'caddy',
        environment: { HTTP_PORT: '8080', HTTPS_PORT: '8443', SITE_ADDRESS: 'localhost', MAX_BODY_SIZE: '1MB' },
        volumes: { [data]: '/data', [config]: '/config', [live]: '/etc/caddy/live' },
        scratch: ['/run/caddy'],
        ports: [8080, 8443],
      }),
      service('blue'),
      service('green'),
    ]);
    await caddy.untilHealthy();
    await reach();
  });
  afterAll(async () => {
    await dispatcher?.close();
    await bench.clean();
  });

  test('runs as the account of the kit and can write nothing but its volumes', async () => {
    expect((await caddy.run('id')).output).toBe('uid=10001(kit) gid=10001(kit) groups=10001(kit)');
    expect((await caddy.run('touch', '/x')).output).toMatch(/Read-only|Permission denied/);
  });

  test('answers 503 with a problem document while there is no release', async () => {
    expect((await caddy.run('live-release')).output).toBe('');
    const { status, headers, body } = await get('/');
    expect(status).toBe(503);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(headers['retry-after']).toBe('5');
    expect(JSON.parse(body)).toMatchObject({ status: 503, title: 'Service Unavailable' });
  });

  test('sends everything to the release that it is switched to', async () => {
    await switchTo('blue');
    expect(await whoAnswers()).toBe('blue');
    expect((await caddy.run('live-release')).output).toBe(upstream('blue'));
  });

  test('fails no request while it is switched to and fro under load', async () => {
    let isOver = false;
    const answered: Record<string, number> = { blue: 0, green: 0 };
    let slowest = 0;
    const client = async (protocol: Agent) => {
      while (!isOver) {
        const began = performance.now();
        const { status, body } = await get('/', {}, protocol);
        slowest = Math.max(slowest, performance.now() - began);
        expect(status).toBe(200);
        const { release: name } = JSON.parse(body);
        answered[name] = (answered[name] ?? 0) + 1;
      }
    };
    const http1 = new Agent({ connect: { ca: authority }, allowH2: false });
    const clients = Promise.all(
      [dispatcher, http1].flatMap((protocol) => Array.from({ length: 4 }, () => client(protocol))),
    );
    try {
      for (const name of ['green', 'blue', 'green', 'blue']) await switchTo(name);
    } finally {
      isOver = true;
    }
    await clients;
    await http1.close();
    console.log(
      `4 switches: ${JSON.stringify(answered)} requests answered, 0 failed, slowest ${slowest.toFixed(0)} ms`,
    );
    expect(answered.green).toBeGreaterThan(0);
    expect(slowest).toBeLessThan(2000);
    expect(await whoAnswers()).toBe('blue');
  });

  test.each(['nonsense', 'service-green', 'a:8079 b:8079', 'x:8079\n../x:1', '../x:1', '*:1', '-x:1'])(
    'refuses %j as a release and goes on with the old one',
    async (wrong) => {
      const { exitCode, output } = await caddy.run('switch-release', wrong);
      expect(exitCode).toBe(1);
      expect(output).toContain('is not <host>:<port>');
      expect(await whoAnswers()).toBe('blue');
    },
  );

  test('refuses a release that nobody answers for and goes on with the old one', async () => {
    for (const gone of ['service-none:8079', 'service-green:8078']) {
      const { exitCode, output } = await caddy.run('switch-release', gone);
      expect(exitCode).toBe(1);
      expect(output).toBe(`switch-release: nobody answers at ${gone}; service-blue:8079 stays`);
    }
    expect(await whoAnswers()).toBe('blue');
  });

  test('is pointed at one release when it is switched by several at once', async () => {
    const names = ['green', 'blue', 'green', 'blue', 'green', 'blue'];
    await Promise.all(names.map((name) => switchTo(name)));
    const { output } = await caddy.run('live-release');
    expect([upstream('blue'), upstream('green')]).toContain(output);
    expect(upstream(await whoAnswers())).toBe(output);
    await switchTo('blue');
  });

  test('answers when a switch was killed between the new and the old one, and the next switch ends it', async () => {
    await caddy.run('touch', `/etc/caddy/live/${upstream('green')}`);
    expect((await caddy.run('live-release')).output.split('\n')).toEqual([upstream('blue'), upstream('green')]);
    expect(['blue', 'green']).toContain(await whoAnswers());
    await switchTo('green');
    expect((await caddy.run('live-release')).output).toBe(upstream('green'));
    expect(await whoAnswers()).toBe('green');
    await switchTo('blue');
  });

  test('stays where it is when the choice can not be written down', async () => {
    const name = `conversation-kit-test-${randomUUID()}`;
    // Room for the directory and one file.
    const options = { type: 'tmpfs', device: 'tmpfs', o: 'size=64k,nr_inodes=2,uid=10001,gid=10001' };
    await docker.createVolume({ Name: name, Labels: bench.label, DriverOpts: options });
    const full = await bench.start(image, {
      network,
      volumes: { [name]: '/etc/caddy/live' },
      scratch: ['/run/caddy', '/data', '/config'],
      command: ['sleep', '600'],
    });
    try {
      expect(await full.run('switch-release', upstream('blue'))).toEqual({ exitCode: 0, output: upstream('blue') });
      const refused = await full.run('switch-release', upstream('green'));
      expect(refused.exitCode).toBe(1);
      expect(refused.output).toMatch(/is the disk full\?\); service-blue:8079 stays$/);
      expect((await full.run('live-release')).output).toBe(upstream('blue'));
    } finally {
      await full.container.remove({ force: true });
      await docker.getVolume(name).remove();
    }
  });

  test('is not built of a Caddyfile with a mistake', async () => {
    const broken = Buffer.from('localhost {\n\tno_such_directive\n}\n');
    await expect(bench.build('caddy', { Caddyfile: broken })).rejects.toThrow(/no_such_directive/);
  });

  test('lets streams and WebSockets that are under way go on where they began', async () => {
    const socket = new WebSocket(`${origin.replace('https', 'wss')}/events?access_token=secret-in-query`, {
      dispatcher,
    });
    let isClosed = false;
    socket.addEventListener('close', () => {
      isClosed = true;
    });
    const [message] = await once(socket, 'message');
    expect(message.data).toBe('hello from blue');

    const response = await request(`${origin}/stream`, { dispatcher, headers: { 'accept-encoding': 'gzip' } });
    const began = performance.now();
    const chunks: string[] = [];
    for await (const chunk of response.body) {
      chunks.push(String(chunk));
      if (chunks.length === 1) {
        expect(performance.now() - began).toBeLessThan(1000);
        await switchTo('green');
        expect(await whoAnswers()).toBe('green');
      }
    }
    const events = chunks.join('').trim().split('\n\n');
    expect(events).toHaveLength(30);
    expect(events.at(-1)).toBe('data: blue 29');
    expect(isClosed).toBe(false);
    socket.close();
    await switchTo('blue');
  });

  test('rides out a restart of the release', async () => {
    const restarted = blue.container.restart({ t: 5 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => get('/')));
    await restarted;
    answers.push(...(await Promise.all(Array.from({ length: 20 }, () => get('/')))));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  });

  test('keeps its choice and its certificate over a restart', async () => {
    const { output: before } = await caddy.run('sha256sum', '/data/caddy/pki/authorities/local/root.crt');
    await caddy.container.kill({ signal: 'SIGKILL' });
    await caddy.container.start();
    await caddy.untilHealthy();
    await dispatcher.close();
    await reach();
    expect(await whoAnswers()).toBe('blue');
    expect((await caddy.run('sha256sum', '/data/caddy/pki/authorities/local/root.crt')).output).toBe(before);
  });

  test('sets headers that protect, and no rule that outlives the certificate', async () => {
    const { headers } = await get('/');
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    });
    expect(headers).not.toHaveProperty('server');
    expect(headers).not.toHaveProperty('strict-transport-security');
  });

  test('believes nobody about whom a request comes from', async () => {
    const { body } = await get('/', { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'http' });
    const { headers } = JSON.parse(body);
    expect(headers['x-forwarded-for']).not.toContain('203.0.113.7');
    expect(headers['x-forwarded-proto']).toBe('https');
    expect(headers['x-forwarded-host']).toMatch(/^localhost/);
  });

  test('compresses what is long', async () => {
    expect((await get('/large', { 'accept-encoding': 'gzip' })).headers['content-encoding']).toBe('gzip');
  });

  test('keeps metrics inside', async () => {
    for (const path of ['/metrics', '/metrics/x']) {
      const { status, headers, body } = await get(path);
      expect([status, headers['content-type']]).toEqual([404, 'application/problem+json']);
      expect(JSON.parse(body)).toMatchObject({ status: 404, title: 'Not Found' });
    }
  });

  test('refuses a body that is too large, and lets a large one pass', async () => {
    const post = async (bytes: number) => {
      const response = await request(`${origin}/`, { dispatcher, method: 'POST', body: Buffer.alloc(bytes) });
      return { status: response.statusCode, body: await response.body.text() };
    };
    expect(JSON.parse((await post(900_000)).body)).toMatchObject({ size: 900_000 });
    const refused = await post(1_200_000);
    expect(refused.status).toBe(413);
    expect(JSON.parse(refused.body)).toMatchObject({ status: 413 });
  });

  test('sends plain HTTP to HTTPS on the port that it listens on', async () => {
    const response = await request(`http://localhost:${await caddy.port(8080)}/chat?x=1`, { method: 'GET' });
    await response.body.dump();
    expect(response.statusCode).toBe(308);
    expect(response.headers.location).toBe('https://localhost:8443/chat?x=1');
  });

  test('logs requests without what lets somebody in or what they look for', async () => {
    await get('/chat?apikey=secret-in-query&q=secret%3fwish', {
      authorization: 'Bearer secret-in-header',
      cookie: 'a=secret',
    });
    const log = await vi.waitFor(async () => {
      const written = await caddy.log();
      expect(written.includes('"uri":"/chat"')).toBe(true);
      return written;
    });
    expect(log.split('\n').filter((line) => line.includes('secret'))).toEqual([]);
  });

  test('stops within the time that requests have to end', async () => {
    const began = performance.now();
    await caddy.container.stop({ t: 40 });
    expect(performance.now() - began).toBeLessThan(5000);
    expect((await caddy.container.inspect()).State.ExitCode).toBe(0);
  });

  test('adds little to the base image', async () => {
    const { Size } = await docker.getImage(image).inspect();
    expect(Size / 1e6).toBeLessThan(320);
  });
});
