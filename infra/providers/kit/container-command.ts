import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';

export interface CommandResult {
  readonly exitCode: number;
  /** Both streams of the command, trimmed. */
  readonly output: string;
}

/** Runs a command in a running container and waits for its end. When it is aborted, the command itself goes on. */
export async function runInContainer(
  container: Docker.Container,
  command: readonly string[],
  signal: AbortSignal,
): Promise<CommandResult> {
  const exec = await container.exec({
    Cmd: [...command],
    AttachStdout: true,
    AttachStderr: true,
    abortSignal: signal,
  });
  const stream = await exec.start({ abortSignal: signal });
  const output = new PassThrough();
  container.modem.demuxStream(stream, output, output);
  const [collected] = await Promise.all([text(output), finished(stream).finally(() => output.end())]);
  signal.throwIfAborted(); // it ends the stream, as the command does
  for (;;) {
    const { Running, ExitCode } = await exec.inspect({ abortSignal: signal });
    if (!Running) return { exitCode: ExitCode ?? -1, output: collected.trim() };
    await delay(20, undefined, { signal }); // the engine notes the end a moment after the output has ended
  }
}
