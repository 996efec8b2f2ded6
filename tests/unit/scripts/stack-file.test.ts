import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stackFileValue } from '../../../scripts/setup/stack-file.mjs';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'stack-file-'));
  writeFileSync(
    join(root, 'Pulumi.box.yaml'),
    `encryptionsalt: v1:x
config:
  conversation-kit:dockerHost: ssh://deploy@box:2222
  conversation-kit:httpsPort: "8443"
  conversation-kit:bindAddress: '192.168.1.4' # of the LAN
  conversation-kit:databaseUrl:
    secure: v1:abc
`,
  );
});
afterAll(() => rmSync(root, { recursive: true }));

it('reads plain values as Pulumi writes them, and no secrets', () => {
  expect(stackFileValue(root, 'box', 'dockerHost')).toBe('ssh://deploy@box:2222');
  expect(stackFileValue(root, 'box', 'httpsPort')).toBe('8443');
  expect(stackFileValue(root, 'box', 'bindAddress')).toBe('192.168.1.4');
  expect(stackFileValue(root, 'box', 'databaseUrl')).toBeUndefined();
  expect(stackFileValue(root, 'box', 'Port')).toBeUndefined();
  expect(stackFileValue(root, 'none', 'dockerHost')).toBeUndefined();
});
