import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { listeningInodes, listeningPorts } from '../../../infra/listening-ports.ts';

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000 100 0 0 10 0
   1: 0100007F:1F91 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000 100 0 0 10 0
`;

describe('listening ports', () => {
  it('are the sockets in state LISTEN, not the connections', () => {
    expect(listeningInodes(table)).toEqual(new Map([[8080, '4711']]));
  });

  it('are named with the process that holds them', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    try {
      expect(listeningPorts().get(port)?.process?.pid).toBe(process.pid);
    } finally {
      server.close();
    }
  });
});
