import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import parse from 'parse-prometheus-text-format';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Metrics } from '../../../service/metrics/metrics.ts';
import { supabaseCalls } from '../../../service/storage/supabase/supabase-pool.ts';
import { httpApi, userHeaders } from './http-api.ts';

const family = z.object({
  name: z.string(),
  type: z.enum(['COUNTER', 'GAUGE', 'HISTOGRAM', 'SUMMARY']),
  help: z.string().min(1),
  metrics: z.array(
    z.looseObject({
      value: z.string().optional(),
      labels: z.record(z.string(), z.string()).optional(),
    }),
  ),
});
const families = (text: string) =>
  new Map(
    z
      .array(family)
      .parse(parse(text))
      .map((found) => [found.name, found]),
  );

/** The samples of one name; the parser has those of a histogram as one. */
const samples = (text: string, name: string) =>
  [...text.matchAll(new RegExp(`^${name}(?:{(.*)})? (\\S+)$`, 'gm'))].map(([, labels = '', value]) => ({
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, text]) => [label, text])),
    value,
  }));

let metrics: Metrics | undefined;
afterEach(() => metrics?.close());

function everything(): Metrics {
  metrics = new Metrics('r1');
  metrics.watch({
    hotCopyLooks: () => ({ hit: 3, absent: 1 }),
    supabaseConnections: () => ({ open: 5, free: 4, pending: 0 }),
    isRedisThere: () => true,
    outbox: { depth: 2, oldestAgeSeconds: 1.5, refusedCount: 0, replayedCount: 7 },
    rateLimited: () => ({ user: 1, server: 0, failed: 0 }),
    openSockets: () => 6,
  });
  metrics.requestAnswered({ method: 'GET', route: '/x', status: 200, tier: 'none', seconds: 0.1 });
  metrics.operationEnded({ name: 'read', milliseconds: 10, tier: undefined, code: undefined });
  metrics.completionEnded({ outcome: 'ok', seconds: 1 });
  return metrics;
}

describe('the metrics', () => {
  it('are those that docs/metrics.md lists, with its types and labels', async () => {
    const documented = readFileSync('docs/metrics.md', 'utf8').split('# Traces')[0] ?? '';
    const rows = [...documented.matchAll(/^\| `(\w+)` \| (\w+) \|([^|]*)\|/gm)];
    const others = [...documented.matchAll(/`((?:process|nodejs)_\w+)`/g)].map(([, name]) => name);
    const text = await everything().exposition();
    const found = families(text);
    expect([...found.keys()].toSorted()).toEqual([...rows.map(([, name]) => name), ...others].toSorted());
    for (const [, name = '', type = '', labels = ''] of rows) {
      expect([name, found.get(name)?.type]).toEqual([name, type.toUpperCase()]);
      const named = [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label);
      for (const { labels: given } of samples(text, type === 'histogram' ? `${name}_count` : name))
        expect(Object.keys(given).toSorted()).toEqual(named.toSorted());
    }
  });

  it('have names and units as Prometheus wants them', async () => {
    for (const { name, type } of families(await everything().exposition()).values()) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
      if (type === 'COUNTER') expect(name).toMatch(/_total$/);
      if (type === 'HISTOGRAM') expect(name).toMatch(/_seconds$/);
      expect(name).not.toMatch(/_(ms|milliseconds|kb|mb|minutes|count)$/);
    }
  });

  it('have the values of the moment', async () => {
    const found = families(await everything().exposition());
    const value = (name: string) => found.get(name)?.metrics[0]?.value;
    expect([value('outbox_messages'), value('outbox_oldest_age_seconds'), value('redis_up')]).toEqual([
      '2',
      '1.5',
      '1',
    ]);
    expect(found.get('hot_copy_looks_total')?.metrics).toEqual([
      { value: '3', labels: { result: 'hit' } },
      { value: '1', labels: { result: 'absent' } },
    ]);
    // Asked again, nothing is counted twice.
    expect(families((await metrics?.exposition()) ?? '').get('outbox_replayed_messages_total')?.metrics[0]?.value).toBe(
      '7',
    );
  });

  it('tell of requests to Supabase by their outcome, until they are closed', async () => {
    const watching = everything();
    const call = (status?: number) =>
      supabaseCalls.tracePromise(
        async () => {
          if (status === undefined) throw new Error('no answer');
        },
        { name: 'rpc/read_thread', method: 'POST', headers: {}, ...(status ? { status } : {}) },
      );
    await call(200);
    await call(503);
    await expect(call()).rejects.toThrow('no answer');
    const outcomes = samples(await watching.exposition(), 'supabase_request_duration_seconds_count').map(
      ({ labels, value }) => [labels.outcome, value],
    );
    expect(outcomes).toEqual([
      ['2xx', '1'],
      ['5xx', '1'],
      ['none', '1'],
    ]);
    watching.close();
    expect(supabaseCalls.hasSubscribers).toBe(false);
  });
});

describe('GET /metrics', () => {
  it('is for the server alone', async () => {
    const { app, send } = httpApi();
    expect((await app.request('/metrics')).status).toBe(401);
    expect((await send('GET', '/metrics', undefined, await userHeaders())).body).toMatchObject({ code: 'server_only' });
  });

  it('names routes by their pattern, and never an id or what was asked for', async () => {
    const { app, send } = httpApi();
    const { body } = await send('POST', '/v1/conversations', {});
    const secrets = [body.id, randomUUID(), 'canary-4711'];
    for (const secret of secrets) {
      await send('GET', `/v1/conversations/${secret}`);
      await send('GET', `/v1/conversations/${secret}?x=${secret}`);
      await send('PUT', `/v1/conversations/${secret}`);
      await send('GET', `/${secret}/${secret}`);
      await app.request(`/${secret}`, { method: 'BREW', headers: { authorization: secret } });
    }
    const response = await app.request('/metrics', { headers: { authorization: 'Bearer sb_secret_0123456789' } });
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    for (const secret of secrets) expect(text).not.toContain(secret);
    const seen = new Set(
      samples(text, 'http_request_duration_seconds_count').map(
        ({ labels: { method, route, status, tier } }) => `${method} ${route} ${status} ${tier}`,
      ),
    );
    expect([...seen].filter((request) => !request.startsWith('PUT')).toSorted()).toEqual([
      'GET /v1/conversations/:id 200 memory',
      'GET /v1/conversations/:id 400 none',
      'GET /v1/conversations/:id 404 none',
      'GET none 404 none',
      'POST /v1/conversations 201 memory',
      'other none 401 none',
    ]);
  });
});
