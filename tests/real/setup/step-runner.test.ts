import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Kit, openKit } from '../../../scripts/setup/kit.mjs';
import type { Progress } from '../../../scripts/setup/progress.mjs';
import { SetupError } from '../../../scripts/setup/setup-error.mjs';
import { ensureSteps, type Job, type Step, StepFailed } from '../../../scripts/setup/step-runner.mjs';
import { isRunning, temporaryFolder, until } from './folder.ts';

/** A step that is done when its file is there. */
function fileStep(name: string, after: string[] = [], run?: (kit: Kit, job: Job) => Promise<void>): Step {
  const file = (kit: Kit) => join(kit.root, 'made', name);
  return {
    name,
    about: `makes ${name}`,
    after,
    check: (kit) => (existsSync(file(kit)) ? `${name} is there` : undefined),
    run: async (kit, job) => {
      await run?.(kit, job);
      mkdirSync(dirname(file(kit)), { recursive: true });
      writeFileSync(file(kit), '');
    },
  };
}

function recorder(): Progress & { events: string[] } {
  const events: string[] = [];
  return {
    events,
    started: (step, position) => void events.push(`${position} ${step} started`),
    found: (step, position, words) => void events.push(`${position} ${step} found: ${words}`),
    line: () => undefined,
    said: (step, text) => void events.push(`${step} said ${text}`),
    finished: (step, words) => void events.push(`${step} finished: ${words}`),
    ended: (step, how) => void events.push(`${step} ${how}`),
    note: (text) => void events.push(text),
    close: () => undefined,
  };
}

function run(steps: Step[], kit = openKit(temporaryFolder(), process.env), signal = new AbortController().signal) {
  const progress = recorder();
  return { kit, events: progress.events, done: ensureSteps(steps, { kit, progress, signal, command: 'npm test' }) };
}

describe('set-up', () => {
  it('runs what is missing, each step after those it builds on, and says what is in place', async () => {
    const { done, events } = run([fileStep('a'), fileStep('b', ['a']), fileStep('c', ['b'])]);
    expect([...(await done)]).toEqual([
      ['a', 'a is there'],
      ['b', 'b is there'],
      ['c', 'c is there'],
    ]);
    expect(events).toEqual([
      '1/3 a started',
      'a finished: a is there',
      '2/3 b started',
      'b finished: b is there',
      '3/3 c started',
      'c finished: c is there',
    ]);
  });

  it('shows and runs nothing where everything is in place', async () => {
    const first = run([fileStep('a'), fileStep('b', ['a'])]);
    await first.done;
    const second = run([fileStep('a'), fileStep('b', ['a'])], first.kit);
    expect((await second.done).size).toBe(2);
    expect(second.events).toEqual([]);
  });

  it('runs at once what does not build on each other', async () => {
    const met = Promise.withResolvers<void>();
    let waiting = 0;
    const meet = () => {
      waiting += 1;
      if (waiting === 2) met.resolve();
      return met.promise;
    };
    await run([fileStep('a', [], meet), fileStep('b', [], meet)]).done;
    expect(waiting).toBe(2);
  });

  it('looks again before it runs a step whose ground was missing', async () => {
    const { kit, done } = run([fileStep('b')]);
    await done;
    const refused = fileStep('b', ['a'], () => Promise.reject(new Error('it is there')));
    const again = run([fileStep('a'), refused], kit);
    await again.done;
    expect(again.events).toContain('2/2 b found: b is there');
  });

  it('takes no step’s word for it: what it makes has to be there', async () => {
    const liar: Step = { name: 'liar', about: '', check: () => undefined, run: () => Promise.resolve() };
    await expect(run([liar]).done).rejects.toMatchObject({
      step: 'liar',
      cause: { message: /still it is not in place/ },
    });
  });

  it('stops the others when one fails, runs none that builds on it, and goes on from there next time', async () => {
    const remedy = new SetupError('no Go', { remedy: 'install it' });
    const pids: number[] = [];
    const steps = (failure?: Error) => [
      fileStep('fine'),
      fileStep('failing', ['fine'], () => (failure ? Promise.reject(failure) : Promise.resolve())),
      fileStep('long', ['fine'], async (_, job) => {
        if (failure) await job.tool('sh', ['-c', 'exec sleep 60']).finally(() => pids.push(0));
      }),
      fileStep('later', ['failing']),
    ];
    const first = run(steps(remedy));
    const error = await first.done.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StepFailed);
    expect(error).toMatchObject({ step: 'failing', cause: remedy });
    expect(first.events).toContain('long stopped');
    expect(first.events.join('\n')).not.toContain('later');
    expect(pids).toEqual([0]);

    const second = run(steps(), first.kit);
    await second.done;
    expect(second.events[0]).toBe('1/3 failing started');
  });

  it('leaves nothing half-made when it is interrupted, ends the tools, and works the next time', async () => {
    const controller = new AbortController();
    const pids: number[] = [];
    const install = (script: string) =>
      fileStep('tool', [], async (kit, job) => {
        const folder = job.temporaryFolder();
        await job.tool('sh', ['-c', `echo half > ${folder}/tool; ${script}`]);
        renameSync(folder, join(kit.toolchain, 'tool'));
      });
    const first = run([install('echo $$ > pid; exec sleep 60')], undefined, controller.signal);
    const outcome = first.done.catch((error: unknown) => error);
    const pidFile = join(first.kit.root, 'pid');
    await until('the tool runs', () => existsSync(pidFile) && readFileSync(pidFile, 'utf8').endsWith('\n'));
    pids.push(Number(readFileSync(pidFile, 'utf8')));
    controller.abort(new Error('Ctrl-C'));
    expect(await outcome).toEqual(new Error('Ctrl-C'));
    expect(pids.some(isRunning)).toBe(false);
    expect(readdirSync(first.kit.toolchain)).toEqual([]);
    expect(existsSync(first.kit.temporary)).toBe(false);

    await run([install('true')], first.kit).done;
    expect(readdirSync(first.kit.toolchain)).toEqual(['tool']);
  });

  it('clears away what a killed run left', async () => {
    const kit = openKit(temporaryFolder(), process.env);
    mkdirSync(join(kit.temporary, 'step-of-a-killed-run'), { recursive: true });
    await run([fileStep('a')], kit).done;
    expect(existsSync(kit.temporary)).toBe(false);
  });

  it('lets two runs on one checkout take turns: what the first has done, the second need not do', async () => {
    const kit = openKit(temporaryFolder(), process.env);
    const started = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    let runs = 0;
    const step = fileStep('a', [], async () => {
      runs += 1;
      started.resolve();
      await goOn.promise;
    });
    const first = run([step], kit);
    await started.promise;
    const second = run([step], kit);
    await until('the second waits', () => second.events.length > 0);
    expect(second.events[0]).toMatch(/^Waiting for "npm test" \(process \d+, since /);
    goOn.resolve();
    await Promise.all([first.done, second.done]);
    expect(runs).toBe(1);
  });

  it('fetches nothing where a bundle has installed the kit, and says at once what to do', async () => {
    const kit = openKit(temporaryFolder(), process.env);
    mkdirSync(join(kit.directory, 'bundle'), { recursive: true });
    writeFileSync(join(kit.directory, 'bundle', 'manifest.json'), '{ "version": "0.1.0", "commit": "c0ffee" }');
    let fetched = false;
    const fetching = fileStep('a', [], async () => {
      fetched = true;
    });
    const failure = await run([{ ...fetching, fetches: 'packages from npm' }], kit).done.catch((error) => error);
    expect(failure).toBeInstanceOf(StepFailed);
    expect(failure.cause).toBeInstanceOf(SetupError);
    expect(failure.cause.message).toContain('not in the bundle that this was installed from (0.1.0, c0ffee)');
    expect(failure.cause.remedy).toContain('npm run bundle');
    expect(fetched).toBe(false);
    await run([fetching], kit).done; // what needs no network is done there as anywhere
  });

  it('begins nothing where it would not fit on the disk', async () => {
    const kit = openKit(temporaryFolder(), process.env);
    const huge: Step = {
      ...fileStep('a'),
      disk: ({ root }) => [{ what: 'the world', path: join(root, 'not', 'yet'), bytes: 1e18 }],
    };
    const { done, events } = run([huge], kit);
    await expect(done).rejects.toThrow(/1000000000\.0 GB {2}the world/);
    expect(events).toEqual([]);
  });
});
