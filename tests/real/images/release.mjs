// Stands in for a release of the service behind Caddy: says which release it is, streams, talks over WebSocket.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { setInterval as every } from 'node:timers/promises';

const { RELEASE_ID } = process.env;

if (process.argv.includes('--health')) {
  const response = await fetch('http://127.0.0.1:8079/');
  process.exit(response.ok ? 0 : 1);
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://release');
  if (pathname === '/stream') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let count = 0;
    for await (const _ of every(100)) {
      response.write(`data: ${RELEASE_ID} ${count++}\n\n`);
      if (count === 30) break;
    }
    response.end();
    return;
  }
  let size = 0;
  try {
    for await (const chunk of request) size += chunk.length;
  } catch {
    return; // Caddy has cut off a body that is too large
  }
  const body =
    pathname === '/large' ? { text: 'word '.repeat(1000) } : { release: RELEASE_ID, size, headers: request.headers };
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});

server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const greeting = Buffer.from(`hello from ${RELEASE_ID}`);
  socket.write(Buffer.concat([Buffer.from([0x81, greeting.length]), greeting]));
  socket.on('error', () => socket.destroy());
});

server.listen(8079);
process.once('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
