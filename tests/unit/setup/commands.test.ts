import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { commands, usage } from '../../../scripts/setup/commands.mjs';
import { requiredGo } from '../../../scripts/setup/go.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const needs = (name: string, ...args: string[]) => commands[name]?.needs(args, root).map((step) => step.name);

describe('every command', () => {
  it.each(Object.keys(commands))('%s has steps that build on earlier ones only', (name) => {
    const steps = commands[name]?.needs([], root) ?? [];
    for (const [index, step] of steps.entries()) {
      const earlier = steps.slice(0, index).map((other) => other.name);
      expect(earlier).toEqual(expect.arrayContaining([...(step.after ?? [])]));
    }
  });

  it.each(Object.entries(commands))('%s runs what there is', (_name, { runs }) => {
    if (runs[0] === 'script') expect(existsSync(`${root}/${runs[1]}`), runs[1]).toBe(true);
  });

  it('is listed by --help', () => {
    for (const name of Object.keys(commands)) expect(usage).toMatch(new RegExp(`^  ${name} `, 'm'));
  });
});

describe('what a command needs', () => {
  it('is everything for the stack local', () => {
    expect(needs('up')).toEqual([
      'Node.js',
      'npm packages',
      'Pulumi CLI',
      'Docker plugin',
      'Stack state',
      'Docker engine',
      'Bundled images',
      'Image source',
      'Base image',
    ]);
    expect(needs('test')).toEqual(needs('up'));
  });

  it('is no engine here where the stack’s is on another box', () => {
    expect(needs('up', '--stack', 'optiplex')).toEqual(needs('pulumi'));
    expect(needs('up', '--stack=ryzen')).toEqual([...(needs('pulumi') ?? []), 'Docker engine', 'Bundled images']);
  });

  it('is, for a bundle, everything for the stack and the tools that go into it', () => {
    expect(needs('bundle')).toEqual([...(needs('up') ?? []), 'Node.js to carry', 'Pulumi CLI to carry']);
    expect(needs('bundle', '--verify', 'a.sh')).toEqual(['Node.js', 'npm packages']);
  });

  it('is little for help, for checks and for tests without I/O', () => {
    expect(needs('up', '--help')).toEqual(['Node.js', 'npm packages']);
    expect(needs('check')).toEqual(['Node.js', 'npm packages']);
    expect(needs('test', '--project', 'unit')).toEqual(['Node.js', 'npm packages']);
    expect(needs('test', '--project=unit', '--project=real')).toEqual(needs('test'));
  });
});

it('reads the Go version that a module needs', () => {
  expect(requiredGo('module m\n\ngo 1.25.11\n\nrequire (\n')).toBe('1.25.11');
  expect(() => requiredGo('module m\n')).toThrow('no go line');
});
