import { stripVTControlCharacters } from 'node:util';
import { duration } from './duration.mjs';

/**
 * Shows what set-up does. In a terminal, the running steps stay at the bottom, each with its elapsed time and the last
 * line that its tool printed; anywhere else it is plain lines, with a sign of life from long steps.
 *
 * @typedef {object} Progress
 * @property {(step: string, position: string, about: string) => void} started
 * @property {(step: string, position: string, words: string) => void} found  it turned out to be in place
 * @property {(step: string, line: string) => void} line  the tool printed this
 * @property {(step: string, text: string) => void} said  what a person must get to read, such as a fallback
 * @property {(step: string, words: string) => void} finished  words: what is in place now
 * @property {(step: string, how: 'failed' | 'stopped') => void} ended  without having done what it is for
 * @property {(text: string) => void} note  a line that belongs to no step
 * @property {() => void} close
 */

const signOfLife = 30_000;

/**
 * @param {{ write(text: string): unknown, columns?: number }} stream
 * @param {{ live: boolean, now?: () => number }} options
 * @returns {Progress}
 */
export function createProgress(stream, { live, now = Date.now }) {
  /** @type {Map<string, { position: string, since: number, line: string }>} */
  const running = new Map();
  let drawn = 0;

  const erase = () => {
    if (drawn > 0) stream.write(`\x1b[${drawn}A\x1b[0J`);
    drawn = 0;
  };
  const draw = () => {
    const width = (stream.columns || 80) - 1;
    for (const [step, { position, since, line }] of running) {
      const seconds = Math.floor((now() - since) / 1000);
      const elapsed = seconds < 60 ? `${seconds} s` : duration(seconds * 1000);
      const text = `  ${position} ${step}, ${elapsed}: ${line}`;
      stream.write(`${text.replaceAll('\t', ' ').slice(0, width)}\n`);
    }
    drawn = running.size;
  };
  /** @param {string} text */
  const print = (text) => {
    if (live) erase();
    stream.write(`${text}\n`);
    if (live) draw();
  };
  const tick = () => {
    if (live) {
      erase();
      draw();
      return;
    }
    for (const [step, { position, since, line }] of running) {
      print(`… ${position} ${step}, ${duration(now() - since)}${line ? `: ${line.slice(0, 100)}` : ''}`);
    }
  };
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const keepTicking = () => {
    if (running.size > 0) timer ??= setInterval(tick, live ? 250 : signOfLife);
    else {
      clearInterval(timer);
      timer = undefined;
    }
  };
  /** @param {string} step */
  const end = (step) => {
    const { position, since } = running.get(step) ?? { position: '', since: now() };
    running.delete(step);
    keepTicking();
    return { position, took: duration(now() - since) };
  };

  return {
    started(step, position, about) {
      if (!live) print(`▸ ${position} ${step}: ${about}`);
      running.set(step, { position, since: now(), line: about });
      keepTicking();
      if (live) tick();
    },
    found: (step, position, words) => print(`✓ ${position} ${step}: ${words}`),
    line(step, line) {
      const entry = running.get(step);
      if (entry) entry.line = stripVTControlCharacters(line).trim();
    },
    said: (step, text) => print(`! ${step}: ${text}`),
    finished(step, words) {
      const { position, took } = end(step);
      print(`✓ ${position} ${step}: ${words} (${took})`);
    },
    ended(step, how) {
      const { position, took } = end(step);
      print(`✗ ${position} ${step}: ${how} after ${took}`);
    },
    note: print,
    close() {
      clearInterval(timer);
      timer = undefined;
      if (live) erase();
      running.clear();
    },
  };
}
