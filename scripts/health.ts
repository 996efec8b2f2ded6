import { checkHealth, getHealth, type HealthFormat, healthExit, healthFormats } from '../health/check.ts';
import { commandArguments, misused } from './arguments.ts';
import { fail } from './report.ts';
import { type StackOutputs, stackOutputs } from './stack.ts';
import { openStackClient } from './stack-client.ts';

const usage = `npm run health -- [options]

Asks the service of a stack, through Caddy, how it and its neighbours are: supabase, database, storage, redis,
websocket, outbox.

  --stack <name>     local (default), ryzen, optiplex, or one of your own
  --endpoint <url>   ask this service instead, without a key: it tells the status by itself
  --format <format>  text (default) or json
  --help

Exit: 0 healthy, or degraded (it says so), 1 unhealthy, 2 misused or not deployed, 3 no answer.`;

/** Milliseconds: to start, to read the stack's outputs and to have an answer. */
const fiveSeconds = 4_500;

/** What is left of that, in ms. */
const patience = () => Math.max(1_000, fiveSeconds - process.uptime() * 1000);

async function health(): Promise<void> {
  const options = commandArguments(usage, {
    stack: { type: 'string', default: 'local' },
    endpoint: { type: 'string' },
    format: { type: 'string', default: 'text' },
  });
  const format = healthFormats.find((name) => name === options.format);
  if (format === undefined) misused(usage, `--format ${options.format} is neither text nor json`);
  const { endpoint } = options;
  if (endpoint !== undefined && !URL.canParse(endpoint)) misused(usage, `--endpoint ${endpoint} is no address`);
  const { output, exit } =
    endpoint === undefined
      ? await checkStack(await stackOutputs(options.stack), format)
      : await checkHealth({
          endpoint: healthOf(endpoint),
          format,
          patience: patience(),
          ask: (signal) => getHealth(healthOf(endpoint), undefined, signal),
        });
  console.log(output);
  process.exit(exit); // what still hangs is not waited for
}

async function checkStack(outputs: StackOutputs, format: HealthFormat) {
  const opened = openStackClient(outputs);
  const isElsewhere = outputs.dockerHost?.startsWith('ssh:') ?? false;
  // The logins on the way to another machine take their time, and say nothing about its health.
  if (isElsewhere) await Promise.allSettled([opened]);
  const ask = async () => {
    const client = await opened;
    return (await client.send('GET', '/health')).body;
  };
  const endpoint = `${outputs.url}/health`;
  return checkHealth({ endpoint, format, patience: isElsewhere ? fiveSeconds : patience(), ask });
}

/** The address of a service stands for that of its health. */
function healthOf(endpoint: string): string {
  const address = new URL(endpoint);
  if (address.pathname === '/') address.pathname = '/health';
  return address.href;
}

await health().catch((error: unknown) => fail(error, healthExit.misconfigured));
