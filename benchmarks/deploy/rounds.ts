import { setTimeout as delay } from 'node:timers/promises';
import { ComposeStack } from './compose-stack.ts';
import { DockerEvents } from './docker-events.ts';
import { badRelease, failingDeploy, rollBack } from './kit-operations.ts';
import { Load } from './load.ts';
import { conclude, type Looked, type Measurement, measure, type Phase, windowLength } from './measurement.ts';
import { type OwnStack, succeeded } from './own-stack.ts';
import type { Window } from './sample.ts';

export interface Effort {
  readonly rounds: number;
  /** Requests per second. */
  readonly rate: number;
  /** The releases of a round, in their order. */
  readonly releases: readonly ('good' | 'bad')[];
  /** Changes of the service under Docker Compose in a round. */
  readonly changes: number;
}

export interface Results {
  readonly measurements: Measurement[];
  readonly phases: Phase[];
}

/** The words of the report. */
export const operations = {
  release: 'a release',
  badRelease: 'a bad release, refused by its gate',
  unchanged: '`npm run up`, nothing changed',
  rollback: '`npm run rollback`, to the release before',
  failingDeploy: '`npm run deploy` of a release that fails its smoke tests, rolled back',
  change: '`docker compose up -d`, the service changed',
  badChange: 'a bad change, and at once `up -d` of the one before',
  composeUnchanged: '`docker compose up -d`, nothing changed',
} as const;

/** A setting that makes a release of its own. */
const harmless = (count: number) => `conversationTimeoutHours=${24 + count}`;

type Compose = readonly [string, ...string[]];

/** One round after the other: the kit's releases, then the same containers under Docker Compose, under the same load. */
export async function runRounds(
  stack: OwnStack,
  compose: Compose,
  effort: Effort,
  onStep: (step: string) => void,
): Promise<Results & { composeVersion: string }> {
  const results: Results = { measurements: [], phases: [] };
  let composeVersion = '';
  for (let number = 1; number <= effort.rounds; number += 1) {
    const say = (step: string) => onStep(`round ${number} of ${effort.rounds}: ${step}`);
    const round = { round: number, results, effort, say };
    await kitRound(stack, round);
    composeVersion = await composeRound(stack, compose, round);
  }
  return { ...results, composeVersion };
}

async function kitRound(stack: OwnStack, round: Round): Promise<void> {
  const { releases } = round.effort;
  await underLoad(stack, 'conversation-kit', round, async (during) => {
    for (const [index, kind] of releases.entries()) {
      if (kind === 'bad') await during(operations.badRelease, () => badRelease(stack));
      else await during(operations.release, () => stack.release(harmless(round.round * releases.length + index)));
    }
    await during(operations.unchanged, async () => succeeded(await stack.run('up', '--no-smoke'), 'npm run up'));
    // After what has to find nothing to do: they leave the program ahead of what is deployed.
    await during(operations.rollback, () => rollBack(stack));
    await during(operations.failingDeploy, () => failingDeploy(stack));
  });
}

/** Returns the version of Docker Compose. */
async function composeRound(stack: OwnStack, compose: Compose, round: Round): Promise<string> {
  round.say('Docker Compose takes over');
  const same = await ComposeStack.takeOver(stack, compose);
  try {
    await underLoad(stack, 'Docker Compose', round, async (during) => {
      let environment = {};
      for (let change = 1; change <= round.effort.changes; change += 1) {
        environment = { CONVERSATION_TIMEOUT_HOURS: String(1000 + change) };
        await during(operations.change, () => interrupting(same.up(environment)));
      }
      await during(operations.badChange, () => interrupting(badChange(same, environment)));
      await during(operations.composeUnchanged, () => same.up(environment));
    });
    return await same.version();
  } finally {
    await same.giveBack();
  }
}

/** A service that does not start, put back as soon as the command returns: nobody notices faster. */
async function badChange(same: ComposeStack, environment: Readonly<Record<string, string>>): Promise<Window> {
  const { from } = await same.up({ ...environment, CHAT_UPSTREAMS_FILE: '/nowhere' });
  const { to } = await same.up(environment);
  return { from, to };
}

/** What was done: its window, and what tells where clients may have been interrupted. */
type Done = Window & Pick<Looked, 'release' | 'interruptedAt' | 'rollback'>;
type During = (operation: string, work: () => Promise<Done>) => Promise<void>;

interface Round {
  readonly round: number;
  readonly results: Results;
  readonly effort: Effort;
  say(step: string): void;
}

/** Runs commands under one load, each with a quiet window before and after it, and notes what clients saw of them. */
async function underLoad(
  stack: OwnStack,
  who: Phase['who'],
  { round, results, effort, say }: Round,
  work: (during: During) => Promise<void>,
): Promise<void> {
  const events = new DockerEvents(stack.namespace);
  const load = await Load.start(stack.target, effort.rate);
  try {
    await delay(windowLength / 2); // connections, and code that is compiled when it is first run
    await work(async (operation, run) => {
      say(operation);
      await delay(windowLength);
      const done = await run();
      await delay(windowLength);
      results.measurements.push(measure({ ...done, operation, round, command: done, load, events: events.events }));
    });
    say('what was acknowledged is compared with what is there');
    results.phases.push(await conclude(who, round, load));
  } finally {
    await load.stop();
    events.stop();
  }
}

/** A change in place interrupts from its beginning on. */
async function interrupting(work: Promise<Window>): Promise<Done> {
  const window = await work;
  return { ...window, interruptedAt: window.from };
}
