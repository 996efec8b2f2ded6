import { isLoopback } from '../ssh/networks.ts';
import { nameOf, sshTarget } from '../ssh/target.ts';
import { commandArguments, exitCode, misused } from './arguments.ts';
import { saveAuthority } from './authority.ts';
import { lockDeploys } from './deploy/deploy-lock.ts';
import { prepareStack } from './prepare-stack.ts';
import { pulumiUp } from './pulumi-update.ts';
import { removeOldReleases } from './releases/retention.ts';
import { announce, fail, table } from './report.ts';
import { exitCodeOf, interruption } from './setup/child-process.mjs';
import { duration } from './setup/duration.mjs';
import { Interrupted } from './setup/setup-error.mjs';
import { showSmokeTest } from './smoke/report.ts';
import { type StackOutputs, stackOutputs } from './stack.ts';

const usage = `npm run up -- [options]

Deploys the stack and smoke-tests it. Run it again at any time: what is up to date stays as it is.

  --stack <name>          local (default), ryzen, optiplex, or one of your own
  --config <key>=<value>  set a configuration key first; may be given more than once (docs/configuration.md)
  --accept-volume <name>  a volume with data that is gone, or is another one, is taken as it is from now on, its loss
                          accepted; may be given more than once (docs/drift.md)
  --no-smoke              leave the smoke tests out
  --json                  print the result as JSON on standard output
  --help

Exit: 0 deployed and tested, 1 failed, 2 misused.`;

async function up(): Promise<void> {
  const options = commandArguments(usage, {
    stack: { type: 'string', default: 'local' },
    config: { type: 'string', multiple: true, default: [] },
    'accept-volume': { type: 'string', multiple: true, default: [] },
    'no-smoke': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  });
  const { stack, json } = options;
  const started = performance.now();
  const assignments = options.config.map(assignment);
  const accepted = options['accept-volume'];
  // The provider of the volumes reads it: Pulumi hands its environment on.
  if (accepted.length > 0) process.env.CONVERSATION_KIT_ACCEPT_VOLUME = accepted.join(',');
  const { signal } = interruption();
  const lock = await lockDeploys(stack, signal);
  await prepareStack(stack, assignments);
  announce(`Deploying stack ${stack}`);
  await pulumiUp(stack, { signal, holding: lock.file });
  const outputs = await stackOutputs(stack);

  if (!options['no-smoke']) {
    announce('Smoke tests');
    const { broken } = await showSmokeTest(outputs, { restarts: true, signal });
    if (broken) process.exit(exitCode.failed);
  }
  await removeOldReleases(stack);
  lock.release();
  const took = performance.now() - started;
  const at = places(stack, outputs, await saveAuthority(outputs));
  if (json) console.log(JSON.stringify({ stack, milliseconds: Math.round(took), ...at }));
  else showPlaces(stack, at, took);
}

function assignment(text: string): [key: string, value: string] {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (key !== undefined && value !== undefined) return [key, value];
  misused(usage, `--config ${text}: must be <key>=<value>`);
}

function places(stack: string, outputs: StackOutputs, authority: string | undefined) {
  return {
    service: outputs.url,
    certificateAuthority: authority,
    tunnel: tunnelTo(outputs),
    health: `${outputs.url}/health`,
    supabase: outputs.supabaseUrl,
    redisCommander: outputs.redisCommanderUrl,
    release: outputs.releaseId,
    schema: outputs.schemaHead,
    keys: `npm run pulumi -- stack output --show-secrets -s ${stack}`,
  };
}

/** How somebody at this machine reaches a service that listens on another one's loopback only. */
function tunnelTo({ dockerHost, bindAddress, url }: StackOutputs): string | undefined {
  const target = sshTarget(dockerHost);
  if (target === undefined || !isLoopback(bindAddress)) return undefined;
  const port = target.port ? `-p ${target.port} ` : '';
  return `ssh -N -L 8443:${bindAddress}:${new URL(url).port || '443'} ${port}${nameOf(target)}`;
}

function showPlaces(stack: string, at: ReturnType<typeof places>, took: number): void {
  const rows = [
    ['Service', at.service],
    ...(at.certificateAuthority
      ? [['Its certificate', `${at.certificateAuthority} (an authority of its own: curl --cacert)`]]
      : []),
    ...(at.tunnel ? [['From here', `${at.tunnel}   (docs/boxes.md)`]] : []),
    ['API', `${at.service}/openapi.json`],
    ['Supabase', at.supabase],
    ...(at.redisCommander ? [['Redis Commander', at.redisCommander]] : []),
    ['Release', `${at.release}, schema ${at.schema}`],
    ['Keys', at.keys],
    ['Take it down', stack === 'local' ? 'npm run down' : `npm run down -- --stack ${stack}`],
  ];
  console.log(`\nStack ${stack} is up (${duration(took)}).\n${table([], rows)}`);
}

await up().catch((error: unknown) =>
  fail(error, error instanceof Interrupted ? exitCodeOf(error.signal) : exitCode.failed),
);
