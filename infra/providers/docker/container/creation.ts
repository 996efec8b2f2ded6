import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type Docker from 'dockerode';
import { orAbortReason, readable } from '../../plugin/failure.ts';
import { InitializationError } from '../../plugin/resource.ts';
import type { DockerContext } from '../config.ts';
import { EngineRefusal, isConflict, orGone } from '../engine-error.ts';
import { ensureImage } from '../image/pull.ts';
import { thisUpdate } from '../this-update.ts';
import { lastLogLines, untilHealthy } from './health-gate.ts';
import type { ContainerInputs } from './inputs.ts';
import { inspectContainer } from './inspection.ts';
import { type ContainerOutputs, containerOutputs } from './outputs.ts';
import { createRequest, networkRequests } from './request.ts';
import { putUploads } from './uploads.ts';

/**
 * Label that says which resource, of which checkout on which machine, a container was made for. The official plugin does
 * not read labels back, so it sees no difference. A container that has it, when its resource is about to be created, is
 * what an update left behind that was killed before it could write it down.
 */
const creationLabel = 'conversation-kit.created-for';

export const creationMark = (urn: string): string =>
  createHash('sha256').update([hostname(), process.cwd(), urn].join('\n')).digest('hex').slice(0, 16);

/**
 * Makes a container, with its networks and files, starts it and waits for what the inputs ask to wait for. What fails
 * before the start leaves nothing behind; what fails from there on leaves the container for a look, known to the state.
 */
export async function createContainer(docker: Docker, inputs: ContainerInputs, context: DockerContext) {
  await ensureImage(docker, inputs.image, context);
  const id = await createOrReplaceRemains(docker, inputs, context);
  try {
    await connectNetworks(docker, id, inputs, context.signal);
    await putUploads(docker.getContainer(id), inputs, context.signal);
    if (inputs.start) await startContainer(docker, id, inputs, context);
  } catch (error) {
    await removeUnstarted(docker, id, inputs, error);
    throw error;
  }
  return { id, outputs: await started(docker, id, inputs, context) };
}

/** After the start: an end to wait for, or health. Whatever goes wrong now, the container is kept and known. */
export async function started(docker: Docker, id: string, inputs: ContainerInputs, context: DockerContext) {
  let outputs: ContainerOutputs = { ...inputs, id };
  try {
    if (inputs.start && inputs.wait) {
      context.progress(`waiting until ${inputs.name} is healthy`);
      await untilHealthy(docker, id, inputs.waitTimeout, context.signal);
    }
    const logs = inputs.attach ? await untilEnd(docker, id, inputs, context) : undefined;
    outputs = await outputsNow(docker, id, inputs, context.signal);
    return logs === undefined ? outputs : { ...outputs, containerLogs: logs };
  } catch (error) {
    // Without an answer the state gets what was asked for: the reason that counts is the one that is reported.
    const now = await outputsNow(docker, id, inputs, AbortSignal.timeout(10_000)).catch(() => outputs);
    const cause = orAbortReason(error, context.signal);
    throw new InitializationError({ id, outputs: now, reasons: [readable(cause)] }, { cause });
  }
}

export async function outputsNow(docker: Docker, id: string, inputs: ContainerInputs, signal: AbortSignal) {
  const found = await inspectContainer(docker, id, signal);
  if (!found) throw new Error(`the container ${inputs.name} has gone while it was being looked at`);
  return containerOutputs(found, inputs);
}

export async function startContainer(docker: Docker, id: string, inputs: ContainerInputs, context: DockerContext) {
  context.progress(`starting ${inputs.name}`);
  try {
    await docker.getContainer(id).start({ abortSignal: context.signal });
  } catch (error) {
    if (!(error instanceof EngineRefusal)) throw error;
    throw new Error(`the container ${inputs.name} can't be started: ${startFailure(error.message)}`, { cause: error });
  }
}

/** The engine buries who is wrong; what to do about a taken port is the most frequent question. */
function startFailure(message: string): string {
  const taken =
    /Bind for (\S+) failed: port is already allocated|listen tcp\S* (\S+): bind: address already in use/.exec(message);
  const address = taken?.[1] ?? taken?.[2];
  if (!address) return message;
  const port = address.split(':').at(-1);
  return `${address} is taken. See by what (docker ps --filter publish=${port}, ss -ltnp 'sport = :${port}'), or publish another port`;
}

async function createOrReplaceRemains(
  docker: Docker,
  inputs: ContainerInputs,
  context: DockerContext,
): Promise<string> {
  const mark = creationMark(context.urn);
  const asked = createRequest(inputs);
  const request = {
    ...asked,
    Labels: { ...asked.Labels, [creationLabel]: mark },
    abortSignal: context.signal,
  };
  context.progress(`creating ${inputs.name}`);
  try {
    return (await docker.createContainer(request)).id;
  } catch (error) {
    if (!isConflict(error)) throw error;
    const there = await inspectContainer(docker, inputs.name, context.signal);
    if (there && thisUpdate(context).knownContainers.has(there.Id))
      throw new Error(
        `the container ${inputs.name} is to be replaced, and its name is taken until it is gone: leave out "deleteBeforeReplace: false", or give the new one another name`,
        { cause: error },
      );
    if (there && there.Config.Labels[creationLabel] !== mark)
      throw new Error(
        `there is a container ${inputs.name} already, and it is not this stack's. Remove it (docker rm -f ${inputs.name}), or choose another name`,
        { cause: error },
      );
    if (there) {
      context.warn(`removed the container ${inputs.name}, which an interrupted update had left behind`);
      await orGone(docker.getContainer(there.Id).remove({ force: true, v: inputs.removeVolumes }));
    }
    return (await docker.createContainer(request)).id;
  }
}

async function connectNetworks(docker: Docker, id: string, inputs: ContainerInputs, abortSignal: AbortSignal) {
  const connections = networkRequests(inputs);
  if (connections.length === 0) return;
  await leaveDefaultNetwork(docker, id, inputs, abortSignal);
  for (const { network, endpoint } of connections) {
    try {
      await docker.getNetwork(network).connect({ Container: id, EndpointConfig: endpoint });
    } catch (error) {
      throw new Error(`the container ${inputs.name} can't be connected with the network ${network}`, { cause: error });
    }
  }
}

async function leaveDefaultNetwork(docker: Docker, id: string, { networkMode }: ContainerInputs, signal: AbortSignal) {
  if (!['bridge', 'default'].includes(networkMode)) return;
  await orGone(docker.getNetwork('bridge').disconnect({ Container: id, abortSignal: signal }));
}

/** Nothing of it is in the state yet. Where even the removal fails, it must get there, or it would be forgotten. */
async function removeUnstarted(docker: Docker, id: string, inputs: ContainerInputs, reason: unknown): Promise<void> {
  try {
    await orGone(docker.getContainer(id).remove({ force: true, v: true, abortSignal: AbortSignal.timeout(30_000) }));
  } catch (error) {
    throw new InitializationError(
      {
        id,
        outputs: { ...inputs, id },
        reasons: [readable(reason), `and the container ${inputs.name} could not be removed`],
      },
      { cause: error },
    );
  }
}

async function untilEnd(docker: Docker, id: string, inputs: ContainerInputs, context: DockerContext) {
  context.progress(`waiting for the end of ${inputs.name}`);
  await docker.getContainer(id).wait({ condition: 'not-running', abortSignal: context.signal });
  return inputs.logs ? lastLogLines(docker, id, Number.MAX_SAFE_INTEGER, context.signal) : undefined;
}
