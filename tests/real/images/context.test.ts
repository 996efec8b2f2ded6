import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { imageContext, imageReference } from '../../../images/context.ts';

const project = join(import.meta.dirname, '../../..');

describe('the build context of an image', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'conversation-kit-test-'));
    await cp(join(project, 'images'), join(root, 'images'), { recursive: true });
  });
  afterEach(() => rm(root, { recursive: true }));

  const make = (files: Record<string, string>, base = 'base:1') => imageContext('redis', { root, base, files });

  test("holds the role's folder and the given files, at a relative path named by content", async () => {
    const { directory, reference } = make({ 'redis.conf': 'port 1\n', 'deep/er/file': 'x' });
    expect(directory).toMatch(/^\.kit\/images\/redis-[0-9a-f]{12}$/);
    expect(reference).toBe(`conversation-kit/redis:${directory.slice(-12)}`);
    expect((await readdir(join(root, directory), { recursive: true })).sort()).toEqual(
      ['Dockerfile', 'deep', 'deep/er', 'deep/er/file', 'redis-admin', 'redis-health', 'redis-start', 'redis.conf']
        .concat(['volumes', 'volumes/data'])
        .sort(),
    );
    expect(await readFile(join(root, directory, 'redis.conf'), 'utf8')).toBe('port 1\n');
    expect(
      imageReference('redis', { root, base: 'base:1', files: { 'redis.conf': 'port 1\n', 'deep/er/file': 'x' } }),
    ).toBe(reference);
  });

  test('has the same times and modes whoever made it', async () => {
    const { directory } = make({ 'redis.conf': 'port 1\n' });
    const of = (name: string) => stat(join(root, directory, name));
    expect((await of('redis-start')).mode & 0o777).toBe(0o755);
    expect((await of('redis.conf')).mode & 0o777).toBe(0o644);
    expect((await of('redis.conf')).mtime.toISOString()).toBe('2000-01-01T00:00:00.000Z');
  });

  test('is another one for other files, another base and another Dockerfile', async () => {
    const made = [make({ a: '1' }), make({ a: '2' }), make({ b: '1' }), make({ a: '1' }, 'base:2')];
    await writeFile(join(root, 'images/redis/Dockerfile'), 'FROM scratch\n');
    made.push(make({ a: '1' }));
    expect(new Set(made.map(({ reference }) => reference)).size).toBe(5);
  });

  test('is left alone when it is there, and mended when it was changed', async () => {
    const { directory } = make({ 'redis.conf': 'port 1\n' });
    const file = join(root, directory, 'redis.conf');
    const { ino } = await stat(file);
    make({ 'redis.conf': 'port 1\n' });
    expect((await stat(file)).ino).toBe(ino);
    await writeFile(file, 'port 2\n');
    make({ 'redis.conf': 'port 1\n' });
    expect(await readFile(file, 'utf8')).toBe('port 1\n');
  });

  test('stays with the four that were asked for before it', async () => {
    for (const version of [1, 2, 3, 4, 5, 6, 7]) make({ file: String(version) });
    await mkdir(join(root, '.kit/images/redis-commander-0123456789ab'));
    make({ file: '8' });
    const folders = await readdir(join(root, '.kit/images'));
    expect(folders.filter((name) => /^redis-[0-9a-f]{12}$/.test(name))).toHaveLength(5);
    expect(folders).toContain('redis-commander-0123456789ab');
  });

  test.each(['../outside', '/etc/passwd', 'a/../../b'])('has no file at %s', async (path) => {
    expect(() => make({ [path]: '' })).toThrow(/lies outside/);
    expect(await readdir(join(root, '.kit/images'))).toEqual([]);
  });
});
