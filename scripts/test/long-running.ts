import type { ReportedHookContext, Reporter, TestCase, TestModule, Vitest } from 'vitest/node';
import { duration } from '../setup/duration.mjs';

const minute = 60_000;

/** What is under way: told when it began and when it ended, and asked each minute what goes on for long. */
export class UnderWay {
  readonly #began = new Map<string, number>();

  begin(name: string, now: number): void {
    this.#began.set(name, now);
  }

  end(name: string): void {
    this.#began.delete(name);
  }

  endAll(prefix: string): void {
    for (const name of this.#began.keys()) if (name.startsWith(prefix)) this.end(name);
  }

  /** A line for each that has been under way for at least a minute. */
  lines(now: number): string[] {
    return [...this.#began]
      .filter(([, began]) => now - began >= minute)
      .map(([name, began]) => `… ${name}: under way for ${duration(now - began)}`);
  }
}

/**
 * Reporter of vitest that names each minute the tests, hooks and files which take longer: a run that hangs, or is cut off,
 * has said where.
 */
export default class LongRunning implements Reporter {
  readonly #underWay = new UnderWay();
  #timer: NodeJS.Timeout | undefined;

  onInit({ logger }: Vitest): void {
    this.#timer = setInterval(() => {
      for (const line of this.#underWay.lines(Date.now())) logger.log(line);
    }, minute).unref();
  }

  onTestRunEnd(): void {
    clearInterval(this.#timer);
  }

  onTestModuleQueued(module: TestModule): void {
    this.#underWay.begin(`${module.relativeModuleId} (loading)`, Date.now());
  }

  onTestModuleCollected(module: TestModule): void {
    this.#underWay.end(`${module.relativeModuleId} (loading)`);
  }

  /** A hook that failed is not said to have ended. */
  onTestModuleEnd(module: TestModule): void {
    this.#underWay.endAll(module.relativeModuleId);
  }

  onTestCaseReady(test: TestCase): void {
    this.#underWay.begin(nameOf(test), Date.now());
  }

  onTestCaseResult(test: TestCase): void {
    this.#underWay.end(nameOf(test));
  }

  onHookStart(hook: ReportedHookContext): void {
    this.#underWay.begin(hookName(hook), Date.now());
  }

  onHookEnd(hook: ReportedHookContext): void {
    this.#underWay.end(hookName(hook));
  }
}

function nameOf(test: TestCase): string {
  return `${test.module.relativeModuleId} > ${test.fullName}`;
}

function hookName({ name, entity }: ReportedHookContext): string {
  const where =
    entity.type === 'module' ? entity.relativeModuleId : `${entity.module.relativeModuleId} > ${entity.fullName}`;
  return `${where} (${name})`;
}
