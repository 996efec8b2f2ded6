import { describe, expect, it } from 'vitest';
import { gateFailure } from '../../../infra/providers/kit/gate-failure.ts';

const failure = {
  container: 'ck-service-green',
  upstream: 'service-green:8079',
  step: 'self-test (write)',
  reason: 'the self-test ended with 1: POST /v1/conversations answered 500 instead of 201: …',
  log: 'first line\nlast line',
  live: 'service-blue:8079',
  stopped: true,
};

describe('what is said of a release that did not pass the gate', () => {
  it('names what serves, the step, the reason, the log and where it is to be seen', () => {
    expect(gateFailure(failure)).toBe(
      [
        'the release ck-service-green did not pass the gate, and gets no request. service-blue:8079 goes on serving.',
        'It failed at "self-test (write)": the self-test ended with 1: POST /v1/conversations answered 500 instead of 201: …',
        'The last lines of its log:',
        '  first line',
        '  last line',
        'It is stopped, and kept for a look until the next update: docker logs ck-service-green',
      ].join('\n'),
    );
  });

  it('does not promise what is not known', () => {
    expect(gateFailure({ ...failure, live: '' })).toContain('No release serves yet.');
    const alone = gateFailure({ ...failure, live: undefined, log: '', stopped: false });
    expect(alone).toContain('What Caddy serves could not be asked; nothing was changed there.');
    expect(alone).toContain('Its log is empty.');
    expect(alone).toContain('It is left as it is, for a look: docker logs ck-service-green');
  });

  it('says so when what has failed is what serves', () => {
    const same = gateFailure({ ...failure, upstream: 'service-blue:8079', stopped: false });
    expect(same).toContain('It serves all the same: it is what Caddy is pointed at');
  });
});
