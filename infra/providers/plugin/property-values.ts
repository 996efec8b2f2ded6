import structs from 'google-protobuf/google/protobuf/struct_pb.js';
import { type PropertyPath, valueAt } from './property-path.ts';

/**
 * Values as they travel between the engine and a provider, and as definitions see them. On the wire a secret is an
 * object with a signature, and a value that only the update will know is a fixed string; both are part of Pulumi's
 * protocol and the same in every SDK.
 */
const signatureKey = '4dabf18193072939515e22adb298388d';
const secretSignature = '1b47061264138c4ac30d75fd1eb44270';
const outputSignature = 'd0e6a833031e9bbcd3f4e8bde6ca49a4';
const resourceSignature = '5cf8f73096256a8f31e491e813e4eb8e';
const unknownOnWire = '04da6b54-80e4-46f7-96ec-b56ff0331ba9';

/** Stands for a value that is not known before the update. */
export const unknownValue: unique symbol = Symbol('unknown until the update');

export const isUnknown = (value: unknown): value is typeof unknownValue => value === unknownValue;

export interface DecodedProperties {
  /** Without secrets' wrappers, without nulls, and without keys that start with `__` (see `bookkeeping`). */
  readonly values: Record<string, unknown>;
  /** As `values`, but with the keys that start with `__`: notes that the engine and other providers keep in a state. */
  readonly bookkeeping: Record<string, unknown>;
  readonly secrets: readonly PropertyPath[];
  readonly hasUnknowns: boolean;
}

export function decodeProperties(properties: structs.Struct | undefined): DecodedProperties {
  const secrets: PropertyPath[] = [];
  const whole = decodeObject(properties?.toJavaScript() ?? {}, [], secrets);
  const values = withoutBookkeeping(whole);
  return { values, bookkeeping: whole, secrets, hasUnknowns: containsUnknown(values) };
}

/** `secrets` are paths into `values`; where the value at a path is gone, what is nearest above it becomes secret. */
export function encodeProperties(values: object, secrets: readonly PropertyPath[]): structs.Struct {
  const wire = encodeObject(values);
  // Deepest first: a wrapper put further up must not hide a path that is still to be walked.
  for (const path of [...secrets].sort((a, b) => b.length - a.length)) markSecret(wire, path);
  return structs.Struct.fromJavaScript(wire);
}

export function containsUnknown(value: unknown): boolean {
  if (isUnknown(value)) return true;
  if (Array.isArray(value)) return value.some(containsUnknown);
  return isObject(value) && Object.values(value).some(containsUnknown);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The secrets of the inputs that have a value in the outputs, too, and the outputs that are secret by definition. */
export function secretsOfOutputs(
  outputs: object,
  inputSecrets: readonly PropertyPath[],
  names: readonly string[],
): PropertyPath[] {
  const paths = [...inputSecrets, ...names.map((name): PropertyPath => [name])];
  return paths.filter((path) => valueAt(outputs, path.slice(0, 1)) !== undefined);
}

function decode(value: unknown, path: PropertyPath, secrets: PropertyPath[]): unknown {
  if (value === unknownOnWire) return unknownValue;
  if (Array.isArray(value)) return value.map((element, index) => decode(element, [...path, index], secrets));
  if (!isObject(value)) return value;
  switch (value[signatureKey]) {
    case undefined:
      return decodeObject(value, path, secrets);
    case secretSignature:
      secrets.push(path);
      return decode(value.value, path, secrets);
    case outputSignature:
      if (value.secret === true) secrets.push(path);
      return 'value' in value ? decode(value.value, path, secrets) : unknownValue;
    case resourceSignature:
      return decode(value.id ?? value.urn, path, secrets);
    default:
      return value; // assets and archives: the definition's schema says whether it takes them
  }
}

function decodeObject(object: object, path: PropertyPath, secrets: PropertyPath[]): Record<string, unknown> {
  const entries = Object.entries(object)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => [key, decode(value, [...path, key], secrets)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== null && value !== undefined));
}

function withoutBookkeeping(object: Record<string, unknown>): Record<string, unknown> {
  const strip = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(strip);
    return isObject(value) ? withoutBookkeeping(value) : value;
  };
  return Object.fromEntries(
    Object.entries(object)
      .filter(([key]) => !key.startsWith('__'))
      .map(([key, value]) => [key, strip(value)]),
  );
}

type WireValue = string | number | boolean | null | WireValue[] | { [key: string]: WireValue };

function encode(value: unknown): WireValue {
  if (isUnknown(value)) return unknownOnWire;
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map(encode);
  if (isObject(value)) return encodeObject(value);
  throw new TypeError(`a ${typeof value} can't be stored in a Pulumi state`);
}

function encodeObject(object: object): { [key: string]: WireValue } {
  return Object.fromEntries(
    Object.entries(object)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, encode(value)]),
  );
}

function markSecret(wire: { [key: string]: WireValue }, path: PropertyPath): void {
  let parent: WireValue = wire;
  for (const [depth, key] of path.entries()) {
    const child: WireValue | undefined = elementOf(parent, key);
    const below = path[depth + 1];
    const isEnd = below === undefined || elementOf(child, below) === undefined;
    if (child === undefined || isSecretOnWire(child)) return;
    if (isEnd) {
      setElement(parent, key, { [signatureKey]: secretSignature, value: child });
      return;
    }
    parent = child;
  }
}

function elementOf(value: WireValue | undefined, key: string | number): WireValue | undefined {
  if (Array.isArray(value)) return typeof key === 'number' ? value[key] : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function setElement(parent: WireValue, key: string | number, value: WireValue): void {
  if (Array.isArray(parent) && typeof key === 'number') parent[key] = value;
  else if (typeof parent === 'object' && parent !== null && !Array.isArray(parent)) parent[String(key)] = value;
}

const isSecretOnWire = (value: WireValue): boolean => elementOf(value, signatureKey) === secretSignature;
