/** @typedef {readonly [major: number, minor: number, patch: number]} Version */

/**
 * The first version number in a tool's answer: `v3.250.0`, `go1.26.8`, `Docker version 20.10.24+dfsg1, …`.
 *
 * @param {string} text
 * @returns {Version | undefined}
 */
export function parseVersion(text) {
  const found = /(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return found ? [Number(found[1]), Number(found[2]), Number(found[3] ?? 0)] : undefined;
}

/**
 * @param {string | undefined} text  a tool's answer; what holds no version is too old
 * @param {string} minimum
 */
export function isAtLeast(text, minimum) {
  const version = text === undefined ? undefined : parseVersion(text);
  const least = parseVersion(minimum);
  if (!least) throw new TypeError(`${JSON.stringify(minimum)} is no version`);
  if (!version) return false;
  const difference = version[0] - least[0] || version[1] - least[1] || version[2] - least[2];
  return difference >= 0;
}
