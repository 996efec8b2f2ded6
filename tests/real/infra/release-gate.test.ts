import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { baseImageReference } from '../../../images/base/reference.ts';
import { kitConfig } from '../../../infra/providers/kit/config.ts';
import { releaseGate } from '../../../infra/providers/kit/release-gate.ts';
import { startEngine, type TestEngine } from '../../unit/providers/engine.ts';
import { type Hardened, workbench } from '../images/hardened.ts';

/** Stands in for the service: BEHAVIOUR says what it and its self-test do. The test of one that is not there waits for it. */
const service = `
const [option, half, token] = process.argv.slice(2);
const behaviour = process.env.BEHAVIOUR;
if (option === '--self-test') {
  console.error('a warning that is no token');
  if (behaviour === 'hangs' || behaviour === 'crashes') await new Promise((resolve) => setTimeout(resolve, 600_000));
  if (behaviour === 'refuses') { console.error('the thread is not there'); process.exit(1); }
  if (half === 'write') console.log('{"a":"token"}');
  else process.exit(token === '{"a":"token"}' ? 0 : 1);
} else {
  console.log('started');
  if (behaviour === 'crashes') throw new Error('a defect at the start');
  process.on('SIGTERM', () => process.exit(0));
  setInterval(() => undefined, 1000);
}`;

const bench = workbench();
let gate: TestEngine;
let image: string;
let edge: Hardened;

beforeAll(async () => {
  image = await bench.build('service', { 'main.mjs': service });
  const live =
    "RUN printf '#!/bin/sh\\necho service-blue:8079\\n' >/usr/local/bin/live-release && chmod +x /usr/local/bin/live-release";
  edge = await bench.start(await bench.derive(baseImageReference(), [live]), { command: ['sleep', '3600'] });
  gate = await startEngine({ name: 'kit', version: '0.1.0', config: kitConfig, resources: [releaseGate] });
  await gate.configure();
});
afterAll(async () => {
  await gate?.close();
  await bench.clean();
});

async function release(behaviour: string) {
  const started = await bench.start(image, { environment: { BEHAVIOUR: behaviour } });
  const { Id, Name } = await started.container.inspect();
  const inputs = {
    container: Name.replace('/', ''),
    containerId: Id,
    upstream: 'service-green:8079',
    edge: edge.container.id,
  };
  const state = async () => (await started.container.inspect()).State;
  return { ...started, inputs, state };
}

describe('the gate of a release', () => {
  it('is passed by one that keeps what it was told over a restart, and says how it goes', async () => {
    const { inputs, state } = await release('good');
    const before = await state();
    const { id, outputs } = await gate.create(inputs);
    expect(outputs).toEqual(inputs);
    expect((await state()).StartedAt).not.toBe(before.StartedAt);
    const steps = gate.said.map(({ message }) => message);
    for (const step of ['self-test (write)', 'restart', 'self-test (read after the restart)'])
      expect(steps).toContain(`gate: ${step}`);
    expect(steps.at(-1)).toMatch(/^passed in [\d.]+ s$/);

    const passed = await state();
    await gate.update(id, { inputs, outputs }, { ...inputs, edge: 'another' });
    expect(await gate.read(id, { inputs, outputs })).toEqual({ id, inputs, outputs });
    expect(await state()).toEqual(passed);
    expect((await gate.diff({ inputs }, inputs)).diffsList).toEqual([]);
    expect((await gate.diff({ inputs }, { ...inputs, containerId: 'anew' })).replacesList).toEqual([]);
  });

  it('starts one that a gate before it has stopped', async () => {
    const { inputs, state, container } = await release('good');
    await container.stop({ t: 1 });
    await gate.create(inputs);
    expect((await state()).Running).toBe(true);
  });

  it('stops one whose self-test fails, and tells what serves, what failed and the end of the log', async () => {
    const { inputs, state } = await release('refuses');
    await expect(gate.create(inputs)).rejects.toThrow(
      new RegExp(
        [
          `the release ${inputs.container} did not pass the gate, and gets no request. service-blue:8079 goes on serving.`,
          'It failed at "self-test \\(write\\)": the self-test ended with 1: a warning that is no token',
          'the thread is not there',
          'The last lines of its log:',
          '  started',
          `It is stopped, and kept for a look until the next update: docker logs ${inputs.container}`,
        ].join('\\n'),
      ),
    );
    expect((await state()).Running).toBe(false);
  });

  it('does not stop the one that serves', async () => {
    const { inputs, state } = await release('refuses');
    const serving = { ...inputs, upstream: 'service-blue:8079' };
    await expect(gate.create(serving)).rejects.toThrow('It serves all the same');
    expect((await state()).Running).toBe(true);
  });

  it('does not wait for one that ends again and again', async () => {
    const { inputs, state, container } = await release('crashes');
    await container.update({ RestartPolicy: { Name: 'unless-stopped' } });
    await expect(gate.create(inputs)).rejects.toThrow(
      /the service ended with 1 again and again; it has to stay up[\s\S]*a defect at the start/,
    );
    expect((await state()).Status).toBe('exited');
  });

  it('says that a container is gone', async () => {
    const { inputs, container } = await release('good');
    await container.remove({ force: true });
    await expect(gate.create(inputs)).rejects.toThrow(/No such container/);
  });

  it('is left at once when the update is cancelled', async () => {
    const { inputs, state } = await release('hangs');
    const trial = gate.create(inputs);
    const failed = expect(trial).rejects.toThrow(/the update was cancelled/);
    await expect.poll(() => gate.said.at(-1)?.message, { timeout: 20_000 }).toBe('gate: self-test (write)');
    await gate.cancel();
    await failed;
    expect((await state()).Running).toBe(false);
  });
});
