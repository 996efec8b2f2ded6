import { stripVTControlCharacters } from 'node:util';
import type Docker from 'dockerode';
import type { DockerContext } from '../config.ts';
import { type BuildPlace, contextArchive, isOutside, outsideName } from './build-context.ts';
import { keepingBuildFiles } from './dockerignore.ts';
import { engineMessages, errorOf } from './progress-stream.ts';

/** How the engine is asked to build, as parameters of its API; an array is the parameter several times. */
export type BuildQuery = Readonly<
  Record<string, string | number | boolean | readonly string[] | Record<string, string>>
>;

/**
 * Builds with the engine's classic builder, the one that every engine has without a client's help. Returns the image's
 * id, when the engine says it. A step that fails is reported with what it said.
 */
export async function buildImage(
  docker: Docker,
  name: string,
  place: BuildPlace,
  ignorePatterns: readonly string[],
  query: BuildQuery,
  context: DockerContext,
): Promise<string | undefined> {
  context.progress(`building ${name}`);
  const archive = contextArchive(place, keepingBuildFiles(ignorePatterns, place.dockerfileInContext));
  const stream = await docker.buildImage(archive, {
    ...query,
    dockerfile: isOutside(place) ? outsideName : place.dockerfileInContext,
    abortSignal: context.signal,
  });
  const report = new BuildReport();
  for await (const said of engineMessages(stream, 0, context.signal)) {
    const error = errorOf(said);
    if (error) throw new Error(`${name} can't be built: ${report.failure(error)}`);
    if (said.stream && report.take(said.stream)) context.progress(`building ${name}: ${report.step}`);
    report.imageId = said.aux?.ID ?? report.imageId;
  }
  return report.imageId;
}

const keptLines = 60;

/** Follows what a build says: which step it is at, and what that step has said so far. */
export class BuildReport {
  step = '';
  imageId: string | undefined;
  #said = '';

  /** True when a new step began. */
  take(text: string): boolean {
    const step = /^Step \d+\/\d+ : .*/.exec(text)?.[0].trim();
    if (!step) {
      this.#said += text;
      return false;
    }
    this.step = step;
    this.#said = '';
    return true;
  }

  failure(error: string): string {
    const said = stripVTControlCharacters(this.#said)
      .split('\n')
      .filter((line) => line.trim() !== '' && !/^ ---> |^Removing intermediate container /.test(line))
      .slice(-keptLines);
    const where = this.step === '' ? error : `${this.step}\n${error}`;
    return said.length === 0 ? where : `${where}\nThe step said:\n${said.map((line) => `  ${line}`).join('\n')}`;
  }
}
