import { connect } from 'node:net';
import { expect, it } from 'vitest';
import { HttpServer } from '../../../service/http/server.ts';
import { httpApi } from '../../unit/service/http-api.ts';
import { door } from './api-proxy.ts';

it('cuts off what is not finished when its patience is over', async () => {
  const { app } = httpApi();
  const called = door();
  app.get('/v1/never', async (c) => {
    called.open();
    await new Promise(() => undefined);
    return c.text('never');
  });
  const server = await HttpServer.listen(app, { host: '127.0.0.1', port: 0 });
  const socket = connect(server.port, '127.0.0.1');
  const ended = socket.toArray();
  socket.write('GET /v1/never HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sb_secret_0123456789\r\n\r\n');
  await called.opened;
  const started = performance.now();
  await server.stop(200);
  expect(performance.now() - started).toBeLessThan(2000);
  expect(await ended).toEqual([]);
});

it('rejects with the reason when the address can not be had', async () => {
  const { app } = httpApi();
  const server = await HttpServer.listen(app, { host: '127.0.0.1', port: 0 });
  const second = HttpServer.listen(app, { host: '127.0.0.1', port: server.port });
  await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await server.stop(100);
});
