// Hands images to the Docker engine, out of the archive that the one argument names. Engines before 23 know no zstd.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';

const [archive = ''] = process.argv.slice(2);
const docker = spawn('docker', ['load'], { stdio: ['pipe', 'inherit', 'inherit'] });
const ended = once(docker, 'close');
try {
  await pipeline(createReadStream(archive), createZstdDecompress(), docker.stdin);
} catch (error) {
  // It stopped reading because it failed; what it says about that is worth more.
  if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) throw error;
}
const [code] = await ended;
process.exitCode = code ?? 1;
