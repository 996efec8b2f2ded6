import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { smokeMark } from '../../../../health/smoke-mark.ts';
import { SelfTest } from '../../../../service/self-test/self-test.ts';
import { freePort } from '../../../support/containers.ts';
import type { RunningService } from '../service-process.ts';
import { begin, type RunningKit, say, sender, startKit } from './running-kit.ts';

let kit: RunningKit;
let service: RunningService;

beforeAll(async () => {
  kit = await startKit();
});
afterAll(() => kit?.close());
beforeEach(async () => {
  service = await kit.installation.start();
});
afterEach(async () => {
  kit.proxy.onReply = async () => 'pass';
  await service?.stop();
});

const run = (...args: string[]) => kit.installation.run(['--self-test', ...args], { PORT: String(service.port) });
const send = () => sender(service, kit.record.settings.secretKey);
const remaining = async () => (await kit.record.sql`select id from conversations`).map(({ id }) => id);
const expectNoSecret = (output: string) => {
  const { secretKey, publishableKey, jwtSecret } = kit.record.settings;
  for (const secret of [secretKey, publishableKey, jwtSecret, kit.redis.password]) expect(output).not.toContain(secret);
};

/** Of a service without storage to clean up. */
const settings = ({ port }: { port: number }) => {
  const { secretKey, jwtSecret } = kit.record.settings;
  const none = { fallback: undefined, supabase: undefined, redis: undefined, outboxDirectory: undefined };
  return {
    port,
    authentication: { secretKey, jwtSecret, publicKeys: undefined, issuer: undefined },
    storage: { backend: 'memory' as const, ...none },
  };
};

describe('the self-test of the service', () => {
  it('writes, finds everything again after a restart, and leaves nothing in the record', async () => {
    const written = await run('write');
    expect(written, written.output).toMatchObject({ exitCode: 0 });
    const { conversation, contents } = JSON.parse(written.output);
    expect(contents).toHaveLength(2);
    expect(await remaining()).toEqual([conversation]);
    await service.stop();
    service = await kit.installation.start();
    const read = await run('read', written.output.trim());
    expect(read).toEqual({ exitCode: 0, output: '' });
    expect(await remaining()).toEqual([]);
    expectNoSecret(written.output);
    const again = await run('read', written.output.trim());
    expect(again).toMatchObject({ exitCode: 1, output: expect.stringContaining('answered 404 instead of 200') });
  });

  it('fails when something else is found than was written', async () => {
    const written = (await run('write')).output.trim();
    await send()('POST', `/v1/conversations/${JSON.parse(written).conversation}/messages`, say('and more'));
    const read = await run('read', written);
    expect(read).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining('has 3 messages (and 0 that wait), not the 2 that were written'),
    });
    await kit.record.sql`delete from conversations`;
  });

  it('does not take a queue for the record', async () => {
    kit.proxy.onReply = async () => 'cut';
    const impatient = new SelfTest(settings({ port: service.port }), 0);
    await expect(impatient.write()).rejects.toThrow(/answered 202 instead of 201, so that it waits in the outbox/);
    kit.proxy.onReply = async () => 'pass';
    // What was queued arrives, and is a leftover like any other.
    const waiting = async () => JSON.parse((await send()('GET', '/v1/outbox')).text).waiting.conversations;
    await expect.poll(waiting, { timeout: 20_000 }).toBe(0);
    expect((await remaining()).length).toBeGreaterThan(0);
    await kit.record.sql`delete from conversations`;
  });

  it('removes what tests that were killed have left, and nothing else', async () => {
    const own = await begin(send());
    const mark = kit.record.sql.json(smokeMark);
    const [old] = await kit.record.sql`
      insert into conversations (metadata, created_at) values (${mark}, now() - interval '2 hours') returning id`;
    const [underWay] = await kit.record.sql`insert into conversations (metadata) values (${mark}) returning id`;
    const written = (await run('write')).output.trim();
    expect(await run('read', written)).toEqual({ exitCode: 0, output: '' });
    expect((await remaining()).sort()).toEqual([own, underWay?.id].sort());
    expect(await remaining()).not.toContain(old?.id);
    await kit.record.sql`delete from conversations`;
  });

  it('waits until the service is healthy, and gives up some time', async () => {
    const nobody = new SelfTest(settings({ port: 9 }), 300);
    await expect(nobody.write()).rejects.toThrow(
      /not healthy within 0\.3 s\. unavailable: http:\/\/127\.0\.0\.1:9\/health gives no health/,
    );
    await service.stop();
    const port = await freePort();
    const early = kit.installation.run(['--self-test', 'write'], { PORT: String(port) });
    service = await kit.installation.start({ PORT: String(port) });
    expect((await early).exitCode).toBe(0);
    await kit.record.sql`delete from conversations`;
  });

  it('says how it is used', async () => {
    for (const wrong of [[], ['read'], ['write', 'more'], ['read', '{}', 'more'], ['wirte']])
      expect(await run(...wrong)).toMatchObject({ exitCode: 2, output: expect.stringContaining('read <token>') });
    expect(await run('read', 'nonsense')).toMatchObject({
      exitCode: 1,
      output: expect.stringContaining('not a token'),
    });
  });

  it('fails without Redis', async () => {
    await kit.redis.kill();
    await service.until(/"msg":"Redis is away/);
    const written = await run('write');
    expect(written).toMatchObject({ exitCode: 1, output: expect.stringContaining('and not by redis') });
    expectNoSecret(written.output);
  });
});
