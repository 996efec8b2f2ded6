import { isIPv6 } from 'node:net';
import { WebSocket } from 'ws';
import type { Probe } from '../../conversation/conversation-store.ts';
import { subprotocol } from './socket-messages.ts';

/** Opens a socket to the service itself, as the server, and waits for an answer. */
export function socketProbe(address: { host: string; port: number }, secretKey: string): Probe {
  return { name: 'websocket', required: false, answer: (signal) => ask(urlOf(address), secretKey, signal) };
}

async function ask(url: string, secretKey: string, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = new WebSocket(url, subprotocol, {
    headers: { authorization: `Bearer ${secretKey}` },
    perMessageDeflate: false,
  });
  const giveUp = () => reject(new Error('no answer', { cause: signal.reason }));
  signal.addEventListener('abort', giveUp, { once: true });
  socket.on('open', () => socket.send('{"type":"ping"}'));
  socket.on('message', () => resolve());
  socket.on('close', (code) => reject(new Error(`the socket was closed with ${code}`)));
  socket.on('error', reject);
  try {
    await promise;
    socket.close(1000);
  } catch (error) {
    socket.terminate();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** The service's own address: where it listens everywhere, the loopback one. */
function urlOf({ host, port }: { host: string; port: number }): string {
  if (host === '0.0.0.0') return `ws://127.0.0.1:${port}/ws`;
  if (host === '::') return `ws://[::1]:${port}/ws`;
  return `ws://${isIPv6(host) ? `[${host}]` : host}:${port}/ws`;
}
