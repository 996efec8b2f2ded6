/** What became of a release that did not pass. */
export interface Outcome {
  /** The last lines of its log. */
  readonly log: string;
  /** What Caddy serves, as `<host>:<port>`; empty before the first release, undefined where it can't be told. */
  readonly live: string | undefined;
  readonly stopped: boolean;
}

export interface GateFailure extends Outcome {
  readonly container: string;
  /** `<host>:<port>` of it. */
  readonly upstream: string;
  /** What it was doing, such as `self-test (write)`. */
  readonly step: string;
  readonly reason: string;
}

/** What a person is told of a release that did not pass the gate. */
export function gateFailure({ container, upstream, step, reason, log, live, stopped }: GateFailure): string {
  const isLive = live?.split('\n').includes(upstream);
  return [
    isLive
      ? `the release ${container} did not pass the gate. It serves all the same: it is what Caddy is pointed at.`
      : `the release ${container} did not pass the gate, and gets no request. ${servingNow(live)}`,
    `It failed at "${step}": ${reason}`,
    log === '' ? 'Its log is empty.' : `The last lines of its log:\n${log.replace(/^/gm, '  ')}`,
    `${stopped ? 'It is stopped, and kept for a look until the next update' : 'It is left as it is, for a look'}: docker logs ${container}`,
  ].join('\n');
}

function servingNow(live: string | undefined): string {
  if (live === undefined) return 'What Caddy serves could not be asked; nothing was changed there.';
  return live === '' ? 'No release serves yet.' : `${live} goes on serving.`;
}
