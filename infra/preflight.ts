import { imageReference } from '../images/context.ts';
import type { Settings } from './config.ts';
import { imageIngredients } from './docker/image-ingredients.ts';
import { lookAtBox } from './preflight/box.ts';
import {
  addressCheck,
  type Check,
  clockCheck,
  diskCheck,
  imageCheck,
  memoryCheck,
  type PublishedPort,
  portCheck,
} from './preflight/checks.ts';
import { memoryBudget, profiles, type Role } from './profiles.ts';
import { connectEngine } from './providers/docker/engine.ts';
import { EngineAway } from './providers/docker/engine-error.ts';
import { Refusal } from './refusal.ts';
import { lackOfProject } from './supabase/lack-of-project.ts';

/** What stands in the way of an update, all of it, each with its remedy. */
export class PreflightError extends Refusal {
  override readonly name = 'PreflightError';
  constructor(problems: readonly string[]) {
    super(`Nothing was changed, because:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

/** The containers that a stack has. */
export function rolesOf({ supabase, redisCommander }: Pick<Settings, 'supabase' | 'redisCommander'>): Role[] {
  const roles: Role[] = ['redis', 'service', 'caddy'];
  if (supabase === 'embedded') roles.push('postgres', 'supabase');
  if (redisCommander) roles.push('redis-commander');
  return roles;
}

/** The ports that a stack publishes on its box. */
export function publishedPorts(settings: Settings): PublishedPort[] {
  const keys: (keyof Settings & `${string}Port`)[] = ['httpPort', 'httpsPort'];
  if (settings.supabase === 'embedded') keys.push('supabasePort', 'postgresPort');
  if (settings.redisCommander) keys.push('redisCommanderPort');
  return keys.map((key) => ({ key, port: settings[key] }));
}

/** Looks at the box before anything is changed. Throws one {@link PreflightError} with everything found. */
export async function preflight(stack: string, settings: Settings): Promise<void> {
  const problems = (await inspectBox(stack, settings)).flatMap((check) => check.problems);
  if (problems.length > 0) throw new PreflightError(problems);
}

/** Everything that is looked at on the box, with what was found. */
export async function inspectBox(stack: string, settings: Settings): Promise<Check[]> {
  const name = 'Docker engine';
  const where = settings.dockerHost ?? 'this machine';
  const box = await connectEngine(settings.dockerHost)
    .then((engine) => lookAtBox(engine, settings.dockerHost))
    .catch((error: unknown) => {
      if (error instanceof EngineAway) return error;
      throw error;
    });
  const record = recordCheck(stack, settings);
  if (box instanceof EngineAway) return [{ name, found: where, problems: [box.message] }, record];
  const roles = rolesOf(settings);
  const wanted = roles.map((role) => {
    const ingredients = imageIngredients(role, settings.images);
    return { reference: imageReference(role, ingredients), base: ingredients.base };
  });
  return [
    { name, found: `${box.engineVersion} on ${where}`, problems: [] },
    diskCheck(box),
    memoryCheck(box, memoryBudget(profiles[settings.profile], roles)),
    portCheck(box, { stack, namespace: settings.namespace, ports: publishedPorts(settings) }),
    addressCheck(box, { stack, bindAddress: settings.bindAddress }),
    clockCheck(box),
    imageCheck(box, { stack, dockerHost: settings.dockerHost, source: settings.images, wanted }),
    record,
  ];
}

function recordCheck(stack: string, settings: Settings): Check {
  const lack = lackOfProject(stack, settings);
  const found = settings.supabase === 'embedded' ? 'embedded' : (settings.supabaseUrl ?? 'hosted');
  return { name: 'Supabase', found, problems: lack ? [lack.why] : [] };
}
