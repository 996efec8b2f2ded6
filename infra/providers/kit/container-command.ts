import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';

export interface CommandResult {
  readonly exitCode: number;
  /** Both streams of the command, trimmed; in which order they come together is not known. */
  readonly output: string;
  readonly stdout: string;
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
  const [stdout, both] = [new PassThrough(), new PassThrough()];
  stdout.pipe(both, { end: false });
  container.modem.demuxStream(stream, stdout, both);
  const ended = finished(stream).finally(() => stdout.end());
  stdout.once('end', () => both.end());
  const [output, result] = await Promise.all([text(both), text(stdout), ended]);
  signal.throwIfAborted(); // it ends the stream, as the command does
  for (;;) {
    const { Running, ExitCode } = await exec.inspect({ abortSignal: signal });
    if (!Running) return { exitCode: ExitCode ?? -1, output: output.trim(), stdout: result.trim() };
    await delay(20, undefined, { signal }); // the engine notes the end a moment after the output has ended
  }
}
