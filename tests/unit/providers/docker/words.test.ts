import { describe, expect, it } from 'vitest';
import { withoutFrames } from '../../../../infra/providers/docker/container/health-gate.ts';
import { BuildReport } from '../../../../infra/providers/docker/image/build.ts';
import { DockerIgnore, keepingBuildFiles } from '../../../../infra/providers/docker/image/dockerignore.ts';
import { fullRepository, parseImageReference } from '../../../../infra/providers/docker/image/reference.ts';
import { formatDuration, parseDuration } from '../../../../infra/providers/docker/input-difference.ts';

describe('.dockerignore', () => {
  it.each<[string[], string[], string[]]>([
    [['node_modules'], ['node_modules', 'node_modules/a/b'], ['src/node_modules', 'node_modules2']],
    [['*.md'], ['a.md'], ['docs/a.md', 'amd', 'a.md2']],
    [['**/*.md'], ['a.md', 'docs/a.md', 'docs/deep/a.md'], ['a.txt']],
    [['docs/**'], ['docs/a', 'docs/a/b'], ['docs']],
    [['**/cache/x?'], ['cache/x1', 'a/b/cache/x2'], ['cache/x', 'cache/x12', 'cache/x/']],
    [
      ['/rooted', './here', 'a/../b', 'slashed/'],
      ['rooted', 'here', 'b', 'slashed/x'],
      ['a', 'deep/rooted'],
    ],
    [['*.log', '!keep.log'], ['a.log'], ['keep.log']],
    [
      ['all', '!all/but/this'],
      ['all', 'all/x', 'all/but/that'],
      ['all/but/this', 'all/but/this/too'],
    ],
    [['!b', 'b'], ['b'], []],
    [
      ['[a-c].txt', 'x\\*y', 'dot.+(1)'],
      ['a.txt', 'x*y', 'dot.+(1)'],
      ['d.txt', 'x1y', 'dotx+(1)'],
    ],
  ])('%j', (patterns, ignored, kept) => {
    const ignore = new DockerIgnore(patterns);
    expect(ignored.filter((path) => !ignore.ignores(path))).toEqual([]);
    expect(kept.filter((path) => ignore.ignores(path))).toEqual([]);
  });

  it('can not keep the builder from its own files', () => {
    const patterns = keepingBuildFiles(['*'], 'docker/Dockerfile');
    const ignore = new DockerIgnore(patterns);
    expect(['docker/Dockerfile', '.dockerignore', 'src'].map((path) => ignore.ignores(path))).toEqual([
      false,
      false,
      true,
    ]);
    expect(keepingBuildFiles(['src'], 'Dockerfile')).toEqual(['src']);
  });
});

describe('names of images', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  it.each([
    ['redis', 'docker.io', 'redis', undefined, undefined, 'docker.io/library/redis'],
    ['redis:7', 'docker.io', 'redis', '7', undefined, 'docker.io/library/redis'],
    ['me/app:v1', 'docker.io', 'me/app', 'v1', undefined, 'docker.io/me/app'],
    ['docker.io/me/app', 'docker.io', 'docker.io/me/app', undefined, undefined, 'docker.io/me/app'],
    ['localhost:5000/a/b:v1', 'localhost:5000', 'localhost:5000/a/b', 'v1', undefined, 'localhost:5000/a/b'],
    ['r.example/a', 'r.example', 'r.example/a', undefined, undefined, 'r.example/a'],
    [`a/b:v1@${digest}`, 'docker.io', 'a/b', 'v1', digest, 'docker.io/a/b'],
  ])('%s', (name, registry, repository, tag, ofDigest, full) => {
    const reference = parseImageReference(name);
    expect(reference).toEqual({ registry, repository, tag, digest: ofDigest });
    expect(fullRepository(reference)).toBe(full);
  });
});

it.each([
  [0, '0s'],
  [500e6, '500ms'],
  [1500, '1.5µs'],
  [1.5e9, '1.5s'],
  [60e9, '1m0s'],
  [90e9, '1m30s'],
  [3661e9, '1h1m1s'],
])('%d nanoseconds are %s', (nanoseconds, text) => {
  expect(formatDuration(nanoseconds)).toBe(text);
  expect(parseDuration(text)).toBe(nanoseconds);
});

it('takes no duration for one without a unit', () => {
  expect(['30', 's', '1d', '', '-1s'].map(parseDuration)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

it('reports a failed build with the step and what it said', () => {
  const report = new BuildReport();
  for (const said of [
    'Step 1/2 : FROM scratch\n',
    ' ---> 123\n',
    'Step 2/2 : RUN make\n',
    ' ---> Running in 456\n',
    'cc a.c\n',
    'error: no\n',
  ])
    report.take(said);
  expect(report.failure('make returned 2')).toBe(
    'Step 2/2 : RUN make\nmake returned 2\nThe step said:\n  cc a.c\n  error: no',
  );
});

it('reads a log without the frames that the engine puts around each piece', () => {
  const frame = (stream: number, text: string) => {
    const head = Buffer.alloc(8);
    head.writeUInt8(stream, 0);
    head.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([head, Buffer.from(text)]);
  };
  expect(withoutFrames(Buffer.concat([frame(1, 'out\n'), frame(2, 'grüße\n')]))).toBe('out\ngrüße\n');
});
