import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

export interface CopyOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Runs a command with its standard output in a new file that only its owner reads; on disk when this returns. */
export async function copyOutput(command: readonly string[], path: string, options: CopyOptions): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await run(command, { ...options, output: file });
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Runs a command with a file as its standard input, and returns what it prints. */
export async function readInto(command: readonly string[], path: string, options: CopyOptions): Promise<string> {
  const file = await open(path, 'r');
  try {
    return await run(command, { ...options, input: file });
  } finally {
    await file.close();
  }
}

/** SHA-256 of a file, hexadecimal. */
export async function checksum(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

interface RunOptions extends CopyOptions {
  readonly input?: FileHandle;
  readonly output?: FileHandle;
}

/** Throws with the command's last words when it fails; its arguments hold no secret. */
async function run(command: readonly string[], { env, signal, input, output }: RunOptions): Promise<string> {
  const [program = '', ...args] = command;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, signal, stdio: [input?.fd ?? 'ignore', output?.fd ?? 'pipe', 'pipe'] });
    let said = '';
    let complaints = '';
    child.stdout?.on('data', (text: Buffer) => {
      said += text.toString('utf8');
    });
    child.stderr?.on('data', (text: Buffer) => {
      complaints = (complaints + text.toString('utf8')).slice(-2000);
    });
    child.on('error', (cause) =>
      reject(signal.aborted ? signal.reason : new Error(`${program} could not be started`, { cause })),
    );
    child.on('close', (code) => {
      if (code === 0) resolve(said);
      else
        reject(new Error(`"${command.join(' ')}" failed: ${complaints.trim() || said.trim() || `exit code ${code}`}`));
    });
  });
}
