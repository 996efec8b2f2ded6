import { Engine } from './engine.ts';
import { type ProviderDefinition, ProviderServer } from './server.ts';

export type { ProviderDefinition } from './server.ts';

/**
 * Serves a provider as Pulumi's engine expects of a plugin: the port on standard output, the engine's address as last
 * argument. Returns when the engine has ended or the process is asked to stop; work under way is aborted then.
 */
export async function serveProvider<Config>(provider: ProviderDefinition<Config>): Promise<void> {
  const engine = engineOf(process.argv.slice(2));
  const server = new ProviderServer(provider, engine);
  const port = await server.listen();
  // Standard output carries the port and nothing else; a program's own messages go to standard error.
  process.stdout.write(`${port}\n`);
  // The engine ends its plugins by SIGINT and waits five seconds for them. A terminal's Ctrl-C does not reach a plugin:
  // the engine starts it in a process group of its own.
  const stop = [asked('SIGTERM'), asked('SIGINT')];
  const reason = await Promise.race(engine ? [...stop, ended(engine)] : stop);
  await Promise.race([server.close(reason), graceEnds()]);
  engine?.close();
}

function engineOf(args: readonly string[]): Engine | undefined {
  const address = args.at(-1);
  return address && /^[^-].*:\d+$/.test(address) ? new Engine(address) : undefined;
}

const asked = (signal: NodeJS.Signals): Promise<string> =>
  new Promise((resolve) => process.once(signal, () => resolve(`asked to stop by ${signal}`)));

const ended = (engine: Engine): Promise<string> => engine.gone().then(() => 'the engine has ended');

/** What does not listen to its abort signal must not keep a plugin alive that nobody talks to. */
const graceEnds = (): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(() => {
      resolve();
      process.exit(1);
    }, 10_000).unref();
  });
