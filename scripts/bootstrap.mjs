#!/usr/bin/env node
// Runs on any Node.js from 18 on, before there is any npm package: everything in scripts/setup is plain JavaScript.
const [major] = process.versions.node.split('.');
if (Number(major) < 18) {
  console.error(`The kit's set-up needs Node.js 18 or newer, and this is ${process.version}.`);
  console.error(
    '→ Install a newer one (Debian 12, Ubuntu 24.04: apt-get install nodejs npm), then run the same command again.',
  );
  if (process.argv[2] === 'test') console.log('0 passed, 1 failed');
  process.exit(1);
}

const { main } = await import('./setup/main.mjs');
const { fileURLToPath } = await import('node:url');
process.exitCode = await main(process.argv.slice(2), fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, ''));
