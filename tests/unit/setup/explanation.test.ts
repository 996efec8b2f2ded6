import { describe, expect, it } from 'vitest';
import { LastWords, ToolError } from '../../../scripts/setup/child-process.mjs';
import { openKit } from '../../../scripts/setup/kit.mjs';
import { explanation } from '../../../scripts/setup/main.mjs';
import { remedyFor } from '../../../scripts/setup/remedy.mjs';
import { Interrupted, SetupError } from '../../../scripts/setup/setup-error.mjs';
import { StepFailed } from '../../../scripts/setup/step-runner.mjs';

const kit = openKit('/nowhere/kit', {});

describe('what a person reads when set-up fails', () => {
  it('is what is wrong, and the remedy', () => {
    const cause = new SetupError('There is no Go', { remedy: 'Install Go.\nOr Pulumi.' });
    expect(explanation(kit, new StepFailed('Pulumi CLI', '/nowhere/log', cause))).toBe(
      'Pulumi CLI: There is no Go\n→ Install Go.\n  Or Pulumi.',
    );
  });

  it('has the last words of the tool, and what they mean', () => {
    const cause = new ToolError('go build failed with exit code 1', {
      tail: ['# runtime', 'write /tmp/x: no space left on device'],
      log: '/nowhere/log',
    });
    const text = explanation(kit, new StepFailed('Pulumi CLI', '/nowhere/log', cause));
    expect(text).toContain('Pulumi CLI: go build failed with exit code 1\n  │ # runtime\n  │ write /tmp/x: no space');
    expect(text).toMatch(/→ The disk is full\./);
  });

  it('is short after Ctrl-C', () => {
    expect(explanation(kit, new Interrupted('SIGINT'))).toBe(
      'Interrupted. Run the same command again to go on from here.',
    );
  });
});

describe('a remedy', () => {
  it.each([
    ['npm error network request to https://registry.example.org/zod failed, reason: getaddrinfo ENOTFOUND', /network/],
    ['dial tcp: lookup proxy.example.org: no such host', /network/],
    ['Temporary failure resolving mirror.example.org', /network/],
    ['E: Could not get lock /var/lib/dpkg/lock-frontend', /another program/i],
    ['compile: signal: killed', /memory/],
    ['open .kit/bin: permission denied', /chown/],
    ['syntax error near line 3', /Mend what is said above/],
  ])('for %j', (line, remedy) => {
    expect(remedyFor([line])).toMatch(remedy);
  });
});

it('keeps the first errors of a tool that prints pages of advice after them', () => {
  const words = new LastWords();
  words.add('npm error code EUSAGE');
  words.add('npm error Missing: zod from lock file');
  for (let line = 1; line <= 100; line += 1) words.add(`advice ${line}`);
  const lines = words.lines();
  expect(lines.slice(0, 3)).toEqual(['npm error code EUSAGE', 'npm error Missing: zod from lock file', '…']);
  expect(lines.at(-1)).toBe('advice 100');
  expect(lines.length).toBeLessThan(25);
});
