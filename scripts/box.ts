import { isNetwork, privateNetworks } from '../ssh/networks.ts';
import { nameOf, type SshTarget } from '../ssh/target.ts';
import { commandWords, exitCode, misused } from './arguments.ts';
import { carryBaseImage, compareBaseImage } from './box/base-image.ts';
import { BoxSession } from './box/box-session.ts';
import { askFacts, type BoxFacts, readFacts } from './box/facts.ts';
import { applyStep, type Box, type CheckedStep, checkBox } from './box/prepare.ts';
import { BoxProblem } from './box/problem.ts';
import { deployKeys, type MeantBox, meantBox } from './box/wishes.ts';
import { confirmed } from './deploy/confirmation.ts';
import { announce, fail, table } from './report.ts';
import { exitCodeOf } from './setup/child-process.mjs';
import { duration } from './setup/duration.mjs';
import { Interrupted } from './setup/setup-error.mjs';

const usage = `npm run box -- prepare <stack|user@host> [options]

Brings a bare Debian 12 or Ubuntu Server 22.04 over SSH to where a stack can be deployed on it: Docker engine with log
rotation, firewall, SSH by key only, security updates, time, the user that deploys. What is in place stays as it is.

  --check              only tell; nothing is changed
  --yes                don't ask before changing something
  --login <user>       who logs in: root, or somebody with sudo. Default: whom ssh logs in as
  --key <file>         public key of who deploys. Default: the one that logs in
  --ssh-from <network> let SSH in from there, too, as in 203.0.113.0/24; may be given more than once. Default: the LAN
  --json               print the result as JSON on standard output
  --help

Exit: 0 as it should be, 1 not (with --check), or you said no, 2 misused, 3 it could not be looked at, or not be brought there;
130 interrupted.`;

const couldNotLook = 3;

interface Row {
  readonly step: string;
  readonly state: 'in place' | 'done' | 'would do';
  readonly what: string;
}

async function box(): Promise<void> {
  const { values, words } = commandWords(
    usage,
    {
      check: { type: 'boolean', default: false },
      yes: { type: 'boolean', default: false },
      login: { type: 'string' },
      key: { type: 'string' },
      'ssh-from': { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
    },
    ['prepare', '<stack|user@host>'],
  );
  const [verb, where = ''] = words;
  if (verb !== 'prepare') misused(usage, `there is no "${verb}"`);
  for (const network of values['ssh-from'])
    if (!isNetwork(network)) misused(usage, `--ssh-from ${network} is no network`);

  const meant = meantBox(process.cwd(), where, values.login);
  announce(`Looking at ${nameOf(meant.target)}`);
  const session = await BoxSession.open(meant.target);
  try {
    const facts = await askBox(session, meant.target);
    const keys = await deployKeys(meant.target, facts, values.key);
    const { deployUser, published } = meant;
    const wishes = { deployUser, published, keys, sshFrom: [...privateNetworks, ...values['ssh-from']] };
    const rows = await bring({ session, facts, wishes }, meant, values);
    report(meant, facts, rows, values.json);
    if (values.check && rows.some(({ state }) => state === 'would do')) process.exitCode = exitCode.failed;
  } finally {
    await session.close();
  }
}

async function askBox(session: BoxSession, target: SshTarget): Promise<BoxFacts> {
  const facts = readFacts((await session.run(askFacts)).stdout);
  if (facts.noRoot !== undefined) {
    const rule = `echo '${facts.login} ALL=(ALL) NOPASSWD: ALL' | sudo tee /etc/sudoers.d/prepare`;
    throw new BoxProblem(
      `${facts.login} may not become root on the box without being asked (${facts.noRoot})`,
      `Allow it for as long as this takes:  ssh -t ${nameOf(target)} "${rule}"\n` +
        `and take it back afterwards:         ssh -t ${nameOf(target)} sudo rm /etc/sudoers.d/prepare\n` +
        'Or log in as somebody else: --login root',
    );
  }
  session.loginIsRoot = facts.loginIsRoot;
  return facts;
}

/** Checks every step, and applies those that are not in place, unless only a check is asked for. */
async function bring(box: Box, meant: MeantBox, { check, yes }: { check: boolean; yes: boolean }): Promise<Row[]> {
  const checked = await checkBox(box);
  const deploy = { ...meant.target, user: meant.deployUser };
  const userIsThere = checked.every(({ step, finding }) => finding.inPlace || step.name !== 'Deploy user');
  const image = meant.localImages ? await baseImageRow(deploy, userIsThere) : [];
  const found = [...checked.map(rowOf), ...image];
  if (check || found.every(({ state }) => state === 'in place')) return found;
  console.error(`\n${nameOf(meant.target)}, ${box.facts.distribution}\n${rowTable(found)}\n`);
  if (!yes) await demandConsent();

  const rows: Row[] = [];
  for (const before of checked) {
    if (before.finding.inPlace) rows.push(rowOf(before));
    else rows.push(await timed(before.step.name, async () => (await applyStep(before.step, box)).finding.words));
  }
  if (image.some(({ state }) => state === 'would do')) {
    const carried = await compareBaseImage(deploy);
    rows.push(await timed('Base image', () => carryBaseImage(deploy, carried).then(() => carried.reference)));
  } else rows.push(...image);
  return rows;
}

async function baseImageRow(deploy: SshTarget, userIsThere: boolean): Promise<Row[]> {
  const image = await compareBaseImage(userIsThere ? deploy : { host: '' });
  const isSame = image.here !== undefined && image.here === image.there;
  return [
    isSame
      ? { step: 'Base image', state: 'in place', what: image.reference }
      : { step: 'Base image', state: 'would do', what: `carry ${image.reference} over` },
  ];
}

async function timed(step: string, work: () => Promise<string>): Promise<Row> {
  const started = performance.now();
  const what = await work();
  console.error(`  ✓ ${step} (${duration(performance.now() - started)})`);
  return { step, state: 'done', what };
}

async function demandConsent(): Promise<void> {
  if (!process.stdin.isTTY) misused(usage, 'there is no terminal to ask on: --yes does it without asking');
  if (await confirmed('Do this?', new AbortController().signal)) return;
  console.error('Nothing was changed: you said no.');
  process.exit(exitCode.failed);
}

const rowOf = ({ step, finding }: CheckedStep): Row => ({
  step: step.name,
  state: finding.inPlace ? 'in place' : 'would do',
  what: finding.words,
});

function rowTable(rows: readonly Row[]): string {
  return table(
    ['step', '', 'what'],
    rows.map(({ step, state, what }) => [step, state, what]),
  );
}

function report({ target, deployUser }: MeantBox, facts: BoxFacts, rows: readonly Row[], json: boolean): void {
  const count = (wanted: Row['state']) => rows.filter(({ state }) => state === wanted).length;
  const box = nameOf(target);
  const result = {
    box,
    distribution: facts.distribution,
    done: count('done'),
    missing: count('would do'),
    steps: rows,
  };
  if (json) {
    console.log(JSON.stringify(result));
    return;
  }
  const verdict =
    result.missing > 0
      ? `${result.missing} of ${rows.length} steps are not in place. Nothing was changed.`
      : result.done > 0
        ? `The box is ready; ${result.done} of ${rows.length} steps changed it.`
        : 'The box is ready; nothing was to be done.';
  const address = `ssh://${deployUser}@${target.host}${target.port ? `:${target.port}` : ''}`;
  console.log(`\n${box}, ${facts.distribution}\n${rowTable(rows)}\n\n${verdict}`);
  if (result.missing === 0) console.log(`Its Docker engine, as dockerHost of a stack: ${address}`);
}

await box().catch((error: unknown) =>
  fail(error, error instanceof Interrupted ? exitCodeOf(error.signal) : couldNotLook),
);
