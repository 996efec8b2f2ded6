import { $ } from 'zx';
import { commandArguments, exitCode } from './arguments.ts';
import { makeBundle, megabytes } from './bundle/make.ts';
import { fail, table } from './report.ts';
import { exitCodeOf, interruption } from './setup/child-process.mjs';
import { duration } from './setup/duration.mjs';
import { openKit } from './setup/kit.mjs';
import { createProgress } from './setup/progress.mjs';
import { Interrupted } from './setup/setup-error.mjs';

const usage = `npm run bundle -- [options]

Makes one file of the last commit with everything that a box without internet needs: the program with its history, Node.js,
the npm packages, Pulumi, the images of a stack, the Docker engine as Debian packages. There: sh <file> [directory]

  --stack <name>    whose images: local (default), ryzen, optiplex, or one of your own
  --output <file>   default: bundles/conversation-kit-<version>-<commit>-linux-<processor>.sh
  --no-engine       leave the Debian packages out: the box has a Docker engine
  --verify <file>   make nothing; check a bundle, each part against its SHA-256
  --json            print the result as JSON on standard output
  --help

State, passphrase and what is not committed are never in it. Exit: 0 made, or whole, 1 failed, 2 misused.`;

async function bundle(): Promise<void> {
  const options = commandArguments(usage, {
    stack: { type: 'string', default: 'local' },
    output: { type: 'string' },
    'no-engine': { type: 'boolean', default: false },
    verify: { type: 'string' },
    json: { type: 'boolean', default: false },
  });
  if (options.verify !== undefined) return verify(options.verify);

  const started = performance.now();
  const { signal, stop } = interruption();
  const progress = createProgress(process.stderr, { live: process.stderr.isTTY === true && !process.env.CI });
  try {
    const { stack, output } = options;
    const kit = openKit(process.cwd(), process.env);
    const made = await makeBundle(kit, { stack, output, engine: !options['no-engine'], progress, signal });
    progress.close();
    const milliseconds = Math.round(performance.now() - started);
    if (options.json)
      console.log(
        JSON.stringify({ ...made.manifest, file: made.file, bytes: made.bytes, sha256: made.sha256, milliseconds }),
      );
    else show(made, milliseconds);
  } catch (error) {
    progress.close();
    if (!signal.aborted) throw error;
    console.error('Interrupted: nothing of the bundle was kept.');
    process.exitCode = signal.reason instanceof Interrupted ? exitCodeOf(signal.reason.signal) : exitCode.failed;
  } finally {
    stop();
  }
}

/** The bundle checks itself, here as on the box. */
async function verify(file: string): Promise<void> {
  const run = await $({ nothrow: true, stdio: ['ignore', 1, 2] })`sh ${file} --verify`;
  process.exitCode = run.exitCode === 0 ? exitCode.done : exitCode.failed;
}

function show({ file, bytes, sha256, manifest }: Awaited<ReturnType<typeof makeBundle>>, milliseconds: number): void {
  const rows = manifest.parts.map((part) => [
    part.name,
    megabytes(part.bytes),
    megabytes(part.unpacked),
    part.sha256.slice(0, 12),
  ]);
  console.error(`\n${table(['part', 'in the bundle', 'on the box', 'SHA-256'], rows)}`);
  console.log(
    `\n${file}\n${megabytes(bytes)}, commit ${manifest.commit.slice(0, 12)}, glibc ${manifest.glibc} or newer (${duration(milliseconds)}).\nSHA-256 ${sha256}\n` +
      'Carry it to the box, and there: sh <file> [directory]',
  );
}

await bundle().catch((error: unknown) => fail(error, exitCode.failed));
