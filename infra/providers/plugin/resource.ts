import type { z } from 'zod';

/**
 * Words of this folder.
 *
 * - **definition**: how one type of resource is checked, compared, made, read, changed and removed. Plain objects; the
 *   framework does everything that is about Pulumi's protocol (secrets, unknown values, previews, cancellation).
 * - **inputs**: what the program asked for, as the definition's schema left it (defaults filled in). They are stored.
 * - **outputs**: what is stored as the resource's state after it was made, read or changed.
 */

/** What a definition gets beside its values. */
export interface ResourceContext<Config = unknown> {
  /** The resource in Pulumi's words; its last part is the name in the program. */
  readonly urn: string;
  /** True only in `create` and `update` of a definition with `runsAtPreview`: nothing may be changed then. */
  readonly preview: boolean;
  /** Aborted when the person cancels the update, the engine goes away, or the resource's `customTimeouts` run out. */
  readonly signal: AbortSignal;
  readonly config: Config;
  /** A status line beside the resource in the update's display. It is not kept. */
  progress(message: string): void;
  /** A line that stays in the output of the update. */
  warn(message: string): void;
}

/** An input that can't be accepted. `property` is a path such as `ports[0].internal`; empty for the whole resource. */
export interface CheckFailure {
  readonly property: string;
  readonly reason: string;
}

/** One difference between what is stored and what is asked for. */
export interface PropertyDiff {
  /** Path such as `labels[0].value`; its first part is the name of an input, or of an output where that drifted. */
  readonly path: string;
  readonly kind: 'add' | 'delete' | 'update';
  /** True when this difference can't be made in place. */
  readonly replace?: boolean;
}

/** What is known of a resource from the last time it was made, changed or read. */
export interface StoredResource<Inputs, Outputs> {
  /** As `create` returned it. */
  readonly id?: string;
  readonly inputs: Inputs;
  readonly outputs: Outputs;
}

export interface ResourceDefinition<Inputs extends object, Outputs extends object, Config = unknown> {
  /** Type token, `package:module:Name`, for example `supabase:index:Bucket`. */
  readonly token: string;
  /**
   * A strict object. Every failure becomes a check failure that names the property; defaults are filled in. Inputs that
   * are unknown at preview are left out of the validation. The result is parsed again on later checks of the stored
   * inputs, so it must be valid input itself (no transformation into another shape).
   */
  readonly inputs: z.ZodType<Inputs>;
  /** Inputs whose change means a new resource. */
  readonly replaceOnChanges: readonly (keyof Inputs & string)[];
  /**
   * The old resource goes before its replacement is made: for things that hold a name, a port or a volume. It also holds
   * when the replacement is the program's or the person's wish (`replaceOnChanges`, `--target-replace`).
   */
  readonly deleteBeforeReplace?: boolean | DeletesFirst;
  /** Outputs that are always secret. Outputs at the path of a secret input are, too, without being listed. */
  readonly secretOutputs?: readonly (keyof Outputs & string)[];
  /** Outputs that an update in place leaves as they are, so that previews can show them. */
  readonly stableOutputs?: readonly (keyof Outputs & string)[];
  /**
   * `create` and `update` are called at preview, too, with `context.preview` set, when all inputs are known: they must
   * change nothing then, and return what is known already (outputs left out are unknown). Without it the framework
   * answers previews itself: inputs as outputs, the rest unknown.
   */
  readonly runsAtPreview?: boolean;

  /** Fills in what depends on more than the input itself, such as a name made from the URN. Runs before validation. */
  defaults?(
    given: GivenInputs,
    stored: GivenInputs | undefined,
    context: NamingContext<Config>,
  ): GivenInputs | Promise<GivenInputs>;
  /**
   * What is stored as inputs where that is more than the validated ones: keys with `__` in front, as other providers of
   * the same resource expect to find. They are in `stored` and taken out of what everything else here gets.
   */
  recorded?(inputs: GivenInputs, given: GivenInputs, stored: GivenInputs | undefined): GivenInputs;
  /**
   * Checks beyond shape, such as files that must exist. Called when the shape is right and all inputs are known. `stored`
   * are the inputs of the resource that is there already.
   */
  check?(inputs: Inputs, context: ResourceContext<Config>, stored: GivenInputs | undefined): Promise<CheckFailure[]>;
  /** `diff` is called although new inputs are unknown, too: they are `unknownValue` then, whatever their type says. */
  readonly diffsUnknowns?: boolean;
  /** Default: a deep comparison of old and new inputs. Called when all new inputs are known. */
  diff?(
    old: StoredResource<Inputs, Outputs>,
    news: Inputs,
    context: ResourceContext<Config>,
  ): Promise<readonly PropertyDiff[]>;
  /** Throws `InitializationError` when something was made that must not be forgotten. */
  create(inputs: Inputs, context: ResourceContext<Config>): Promise<{ id: string; outputs: Outputs }>;
  /**
   * What is there now; `undefined` when it is gone. Throws when that can't be told. On import, `state` is empty. The
   * inputs returned are compared with the program's next time: drift must show in them.
   */
  read(
    id: string,
    state: { inputs: Inputs | undefined; outputs: Outputs | undefined },
    context: ResourceContext<Config>,
  ): Promise<{ id: string; inputs: Inputs; outputs: Outputs } | undefined>;
  /** Also called without any difference after an `InitializationError`, to bring the resource to its end. */
  update?(
    id: string,
    old: StoredResource<Inputs, Outputs>,
    news: Inputs,
    context: ResourceContext<Config>,
  ): Promise<Outputs>;
  /** A resource that is gone already counts as deleted. */
  delete(id: string, outputs: Outputs, context: ResourceContext<Config>): Promise<void>;
}

/** What a name can be made from when the program gives none. */
export interface Naming {
  /** The same in preview and update. */
  readonly randomSeed: Uint8Array;
  /** Set where the stack's configuration has rules for names (`pulumi:autonaming`). */
  readonly proposedName?: string;
  readonly mode?: 'propose' | 'enforce' | 'disable';
}

export type NamingContext<Config> = ResourceContext<Config> & { readonly naming: Naming };

/** Decides with the new inputs as they are recorded. */
export type DeletesFirst = (old: StoredResource<object, object>, recorded: GivenInputs) => boolean;

/** Inputs before validation: unknown values may stand anywhere in them (see `isUnknown`). */
export type GivenInputs = Record<string, unknown>;

/** A definition whose types are settled; the framework handles definitions of all resources through this. */
export interface AnyResourceDefinition<Config> {
  readonly token: string;
  readonly inputs: z.ZodType<object>;
  readonly replaceOnChanges: readonly string[];
  readonly deleteBeforeReplace?: boolean | DeletesFirst;
  readonly secretOutputs?: readonly string[];
  readonly stableOutputs?: readonly string[];
  readonly runsAtPreview?: boolean;
  readonly diffsUnknowns?: boolean;
  defaults?(
    given: GivenInputs,
    stored: GivenInputs | undefined,
    context: NamingContext<Config>,
  ): GivenInputs | Promise<GivenInputs>;
  recorded?(inputs: GivenInputs, given: GivenInputs, stored: GivenInputs | undefined): GivenInputs;
  check?(inputs: object, context: ResourceContext<Config>, stored: GivenInputs | undefined): Promise<CheckFailure[]>;
  diff?(
    old: StoredResource<object, object>,
    news: object,
    context: ResourceContext<Config>,
  ): Promise<readonly PropertyDiff[]>;
  create(inputs: object, context: ResourceContext<Config>): Promise<{ id: string; outputs: object }>;
  read(
    id: string,
    state: { inputs: object | undefined; outputs: object | undefined },
    context: ResourceContext<Config>,
  ): Promise<{ id: string; inputs: object; outputs: object } | undefined>;
  update?(
    id: string,
    old: StoredResource<object, object>,
    news: object,
    context: ResourceContext<Config>,
  ): Promise<object>;
  delete(id: string, outputs: object, context: ResourceContext<Config>): Promise<void>;
}

/**
 * The resource exists, but did not get where it should: it is stored with its outputs, the update fails, and the next
 * one calls `update` (or replaces it). To be thrown by `create`, `update` and `read` when something was made.
 */
export class InitializationError extends Error {
  readonly id: string;
  readonly outputs: object;
  /** Each a whole sentence for the person; the message is the first. */
  readonly reasons: readonly string[];

  constructor(made: { id: string; outputs: object; reasons: readonly [string, ...string[]] }, options?: ErrorOptions) {
    super(made.reasons[0], options);
    this.name = 'InitializationError';
    this.id = made.id;
    this.outputs = made.outputs;
    this.reasons = made.reasons;
  }
}
