import { expect, it } from 'vitest';
import { heldCommand } from '../../../scripts/held-connection.ts';
import { forward } from '../../../scripts/ssh-tunnel.ts';

it('opens a tunnel that says when it stands and ends with its reader', () => {
  const options = forward('/tmp/t', { address: '127.0.0.1', port: 443 });
  expect(heldCommand({ host: 'box', user: 'deploy' }, options).join(' ')).toBe(
    "ssh -o ExitOnForwardFailure=yes -L /tmp/t:127.0.0.1:443 -o ConnectTimeout=30 -o ServerAliveInterval=15 -o ServerAliveCountMax=3 -o BatchMode=yes -T -l deploy -- box sh -c 'echo open; exec cat'",
  );
  expect(forward('/tmp/t', { address: '::1', port: 443 })).toContain('/tmp/t:[::1]:443');
});
