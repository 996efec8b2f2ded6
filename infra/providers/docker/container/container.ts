import type Docker from 'dockerode';
import type { CheckFailure, ResourceDefinition, StoredResource } from '../../plugin/resource.ts';
import { failuresOf } from '../../plugin/validation.ts';
import { type DockerConfig, type DockerContext, engineOf } from '../config.ts';
import { driftedInputs } from '../drift.ts';
import { EngineRefusal, isNotFound, orGone } from '../engine-error.ts';
import { inputDifferences } from '../input-difference.ts';
import { withName, withNotes } from '../recorded-inputs.ts';
import { thisUpdate } from '../this-update.ts';
import { createContainer, outputsNow, startContainer, started } from './creation.ts';
import {
  type ContainerInputs,
  changedByEngine,
  containerComparison,
  containerInputs,
  heldByContainer,
  replacingInputs,
  withDefaults,
} from './inputs.ts';
import { inspectContainer } from './inspection.ts';
import { type ContainerOutputs, containerOutputs } from './outputs.ts';
import { updateRequest } from './request.ts';
import { checkUploads } from './uploads.ts';

type Stored = StoredResource<ContainerInputs, ContainerOutputs>;

/** `docker:index/container:Container`. The official plugin always deletes a container before it makes its replacement. */
export const container: ResourceDefinition<ContainerInputs, ContainerOutputs, DockerConfig> = {
  token: 'docker:index/container:Container',
  inputs: containerInputs,
  replaceOnChanges: replacingInputs,
  deleteBeforeReplace: true,
  stableOutputs: [
    'bridge',
    'command',
    'entrypoints',
    'envs',
    'hostname',
    'id',
    'ipcMode',
    'labels',
    'logDriver',
    'runtime',
    'securityOpts',
    'shmSize',
    'stopSignal',
    'stopTimeout',
  ],
  defaults: withName,
  diffsUnknowns: true,
  recorded: (values, given) => withNotes(containerInputs, values, given),
  check: async (inputs) => [...checkUploads(inputs), ...checkAttached(inputs)],
  diff: async (old, news, context) => {
    if (old.id) thisUpdate(context).knownContainers.add(old.id);
    return changes(old, news);
  },
  create: async (inputs, context) => createContainer(await engineOf(context), inputs, context),
  read: async (id, state, context) => {
    const found = await inspectContainer(await engineOf(context), id, context.signal);
    if (!found) return undefined;
    const stored = state.inputs;
    const known = knownInputs({ name: found.Name.replace(/^\//, ''), image: found.Config.Image, ...stored });
    const outputs = { ...kept(state.outputs), ...containerOutputs(found, known) };
    return { id: found.Id, outputs, inputs: inputsNow(stored, outputs) };
  },
  update: async (id, old, news, context) => {
    const docker = await engineOf(context);
    const changed = new Set(changes(old, news).map(({ path }) => path.split(/[.[]/, 1)[0]));
    if (changedByEngine.some((name) => changed.has(name))) await changeOnEngine(docker, id, old, news, context);
    warnOfHeld(changed, context);
    if (await bringUp(docker, id, changed, news, context)) return started(docker, id, news, context);
    return { ...kept(old.outputs), ...(await outputsNow(docker, id, news, context.signal)) };
  },
  delete: async (id, outputs, context) => removeContainer(await engineOf(context), id, outputs, context.signal),
};

const changes = (old: Stored, news: ContainerInputs) =>
  inputDifferences(old.inputs, news, containerComparison, withDefaults);

/** With defaults, as the stored ones may lack them. Refuses what another plugin stored and this one can't compare. */
function knownInputs(stored: object): ContainerInputs {
  const parsed = containerInputs.safeParse(stored);
  if (parsed.success) return parsed.data;
  const why = failuresOf(parsed.error).map(({ property, reason }) => `${property} ${reason}`);
  throw new Error(`the stored inputs can't be compared with the container: ${why.join('; ')}`, { cause: parsed.error });
}

function checkAttached({ attach, rm }: ContainerInputs): CheckFailure[] {
  if (!attach || !rm) return [];
  return [{ property: 'rm', reason: 'removes what "attach" is to report on: leave one of them out' }];
}

/** Only known from the time of the creation. */
function kept(outputs: ContainerOutputs | undefined): Record<string, unknown> {
  return outputs?.containerLogs === undefined ? {} : { containerLogs: outputs.containerLogs };
}

/**
 * The difference that makes the next update start a stopped container is `mustRun`, as with the official plugin: it is
 * true by default, and what is stored after this is false.
 */
function inputsNow(stored: ContainerInputs | undefined, outputs: ContainerOutputs): ContainerInputs {
  const watched = ['cpuShares', 'cpuSet', 'maxRetryCount', 'memory', 'memoryReservation', 'mustRun', 'restart'];
  return driftedInputs(containerInputs, stored, outputs, containerComparison, watched);
}

async function changeOnEngine(docker: Docker, id: string, old: Stored, news: ContainerInputs, context: DockerContext) {
  const lifted = (['cpuPeriod', 'cpuQuota', 'cpuSet', 'memory', 'memoryReservation'] as const).filter(
    (name) => old.inputs[name] && !news[name],
  );
  if (lifted.length > 0)
    context.warn(
      `${lifted.join(', ')}: the engine can't lift a limit of a container that exists. ${replaceIt(context)}`,
    );
  try {
    await docker.getContainer(id).update({ ...updateRequest(news), abortSignal: context.signal });
  } catch (error) {
    throw gone(error, news, context) ?? error;
  }
}

function warnOfHeld(changed: ReadonlySet<string | undefined>, context: DockerContext): void {
  const held = heldByContainer.filter((name) => changed.has(name));
  if (held.length > 0)
    context.warn(`${held.join(', ')}: the change takes effect in the next container only. ${replaceIt(context)}`);
}

const replaceIt = ({ urn }: DockerContext): string => `To make one now: pulumi up --target-replace '${urn}'`;

/**
 * Lets a container run that should and does not. True when there is something to wait for: it was started, or this
 * update changes nothing and so was asked for by an earlier one that failed.
 */
async function bringUp(
  docker: Docker,
  id: string,
  changed: ReadonlySet<string | undefined>,
  news: ContainerInputs,
  context: DockerContext,
): Promise<boolean> {
  const found = await inspectContainer(docker, id, context.signal);
  if (!found) throw goneError(news, context);
  const resumed = changed.size === 0;
  const { Running, Paused } = found.State;
  if ((Running && !Paused) || !news.start || !(resumed || (changed.has('mustRun') && news.mustRun))) return resumed;
  if (Paused) await docker.getContainer(id).unpause({ abortSignal: context.signal });
  else await startContainer(docker, id, news, context);
  return true;
}

function gone(error: unknown, inputs: ContainerInputs, context: DockerContext): Error | undefined {
  return isNotFound(error) ? goneError(inputs, context, error) : undefined;
}

function goneError({ name }: ContainerInputs, { urn }: DockerContext, cause?: unknown): Error {
  return new Error(
    `the container ${name} was removed by hand. Let Pulumi see that (pulumi refresh --target '${urn}'), then run the update again`,
    { cause },
  );
}

/**
 * As the official plugin: stopped with `destroyGraceSeconds` of time (none without it: the process is killed), then
 * removed. One that is gone already, or on its way, is fine.
 */
async function removeContainer(docker: Docker, id: string, outputs: ContainerOutputs, abortSignal: AbortSignal) {
  const one = docker.getContainer(id);
  const grace = typeof outputs.destroyGraceSeconds === 'number' ? Math.max(0, outputs.destroyGraceSeconds) : 0;
  if (outputs.attach !== true) await unlessStopped(one.stop({ t: grace, abortSignal }));
  try {
    await orGone(one.remove({ force: true, v: outputs.removeVolumes !== false, abortSignal }));
  } catch (error) {
    if (!(error instanceof EngineRefusal && error.message.includes('already in progress'))) throw error;
    await orGone(one.wait({ condition: 'removed', abortSignal }));
  }
}

/** 304: it was stopped before. */
async function unlessStopped(stopping: Promise<unknown>): Promise<void> {
  try {
    await orGone(stopping);
  } catch (error) {
    if (!(error instanceof EngineRefusal && error.statusCode === 304)) throw error;
  }
}
