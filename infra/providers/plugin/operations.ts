import provider from '@pulumi/pulumi/proto/provider_pb.js';
import empties from 'google-protobuf/google/protobuf/empty_pb.js';
import { differences } from './difference.ts';
import { propertyOf } from './property-path.ts';
import {
  containsUnknown,
  type DecodedProperties,
  decodeProperties,
  encodeProperties,
  secretsOfOutputs,
} from './property-values.ts';
import type {
  AnyResourceDefinition,
  CheckFailure,
  Naming,
  PropertyDiff,
  ResourceContext,
  StoredResource,
} from './resource.ts';
import { validate } from './validation.ts';

/** The operations on one type of resource: requests of Pulumi's protocol in, answers out. */
export class ResourceOperations<Config> {
  readonly definition: AnyResourceDefinition<Config>;

  constructor(definition: AnyResourceDefinition<Config>) {
    this.definition = definition;
  }

  async check(request: provider.CheckRequest, context: ResourceContext<Config>): Promise<provider.CheckResponse> {
    const { definition } = this;
    const given = decodeProperties(request.getNews());
    const old = request.hasOlds() ? decodeProperties(request.getOlds()) : undefined;
    const stored = old?.bookkeeping;
    const naming = { ...context, naming: namingOf(request) };
    const complete = (await definition.defaults?.(given.values, stored, naming)) ?? given.values;
    const { values, failures: shapeFailures } = validate(definition.inputs, complete);
    const failures = [...shapeFailures];
    if (failures.length === 0 && !containsUnknown(values))
      failures.push(...((await definition.check?.(values, context, old?.values)) ?? []));
    const recorded = definition.recorded?.(values, given.values, stored) ?? values;
    const response = new provider.CheckResponse();
    response.setInputs(encodeProperties(recorded, given.secrets));
    response.setFailuresList(failures.map(checkFailure));
    return response;
  }

  async diff(request: provider.DiffRequest, context: ResourceContext<Config>): Promise<provider.DiffResponse> {
    const { definition } = this;
    const news = decodeProperties(request.getNews());
    const old = storedResource(request);
    const found =
      definition.diff && (definition.diffsUnknowns || !news.hasUnknowns)
        ? await definition.diff(old, news.values, context)
        : differences(old.inputs, news.values, definition.replaceOnChanges);
    const replacing = found.filter(({ replace }) => replace);
    const response = new provider.DiffResponse();
    response.setChanges(
      found.length > 0 ? provider.DiffResponse.DiffChanges.DIFF_SOME : provider.DiffResponse.DiffChanges.DIFF_NONE,
    );
    response.setDiffsList(properties(found));
    response.setReplacesList(properties(replacing));
    response.setStablesList([...(definition.stableOutputs ?? [])]);
    // Also without a reason to replace of our own: the person may ask for it, or the program.
    response.setDeletebeforereplace(this.#deletesFirst(old, news));
    response.setHasdetaileddiff(true);
    for (const difference of found) response.getDetaileddiffMap().set(difference.path, propertyDiff(difference));
    return response;
  }

  async create(request: provider.CreateRequest, context: ResourceContext<Config>): Promise<provider.CreateResponse> {
    const inputs = decodeProperties(request.getProperties());
    const response = new provider.CreateResponse();
    if (context.preview && (inputs.hasUnknowns || !this.definition.runsAtPreview)) {
      response.setProperties(this.encodeOutputs(inputs.values, inputs));
      return response;
    }
    const { id, outputs } = await this.definition.create(inputs.values, context);
    response.setId(context.preview ? '' : id);
    response.setProperties(this.encodeOutputs(outputs, inputs));
    return response;
  }

  async read(request: provider.ReadRequest, context: ResourceContext<Config>): Promise<provider.ReadResponse> {
    const storedInputs = decodeProperties(request.getInputs());
    const storedOutputs = decodeProperties(request.getProperties());
    const isImport = isEmpty(storedInputs) && isEmpty(storedOutputs);
    const found = await this.definition.read(
      request.getId(),
      {
        inputs: isImport ? undefined : storedInputs.values,
        outputs: isImport ? undefined : storedOutputs.bookkeeping,
      },
      context,
    );
    const response = new provider.ReadResponse(); // no id: the resource is gone
    if (!found) return response;
    response.setId(found.id);
    response.setInputs(encodeProperties(found.inputs, storedInputs.secrets));
    response.setProperties(this.encodeOutputs(found.outputs, storedInputs, storedOutputs));
    return response;
  }

  async update(request: provider.UpdateRequest, context: ResourceContext<Config>): Promise<provider.UpdateResponse> {
    const { definition } = this;
    const news = decodeProperties(request.getNews());
    const old = storedResource(request);
    const response = new provider.UpdateResponse();
    if (context.preview && (news.hasUnknowns || !definition.runsAtPreview)) {
      const stable = Object.entries(old.outputs).filter(([name]) => definition.stableOutputs?.includes(name));
      response.setProperties(this.encodeOutputs({ ...Object.fromEntries(stable), ...news.values }, news));
      return response;
    }
    if (!definition.update)
      throw new Error(`${definition.token} can't be changed in place: remove it from the program, or replace it with
"pulumi up --target-replace ${context.urn}"`);
    const outputs = await definition.update(request.getId(), old, news.values, context);
    response.setProperties(this.encodeOutputs(outputs, news));
    return response;
  }

  async delete(request: provider.DeleteRequest, context: ResourceContext<Config>): Promise<empties.Empty> {
    await this.definition.delete(request.getId(), decodeProperties(request.getProperties()).bookkeeping, context);
    return new empties.Empty();
  }

  #deletesFirst(old: StoredResource<object, object>, news: DecodedProperties): boolean {
    const rule = this.definition.deleteBeforeReplace;
    return typeof rule === 'function' ? rule(old, news.bookkeeping) : rule === true;
  }

  /** What came from secret inputs is secret again, and so is what the definition says. */
  encodeOutputs(outputs: object, inputs: DecodedProperties, stored?: DecodedProperties) {
    const secrets = [...inputs.secrets, ...(stored?.secrets ?? [])];
    return encodeProperties(outputs, secretsOfOutputs(outputs, secrets, this.definition.secretOutputs ?? []));
  }
}

function namingOf(request: provider.CheckRequest): Naming {
  const options = request.getAutonaming();
  const { PROPOSE, ENFORCE, DISABLE } = provider.CheckRequest.AutonamingOptions.Mode;
  const modes = { [PROPOSE]: 'propose', [ENFORCE]: 'enforce', [DISABLE]: 'disable' } as const;
  const proposed = options ? { proposedName: options.getProposedName(), mode: modes[options.getMode()] } : {};
  return { randomSeed: request.getRandomseed_asU8(), ...proposed };
}

function storedResource(request: provider.DiffRequest | provider.UpdateRequest): StoredResource<object, object> {
  return {
    id: request.getId(),
    inputs: decodeProperties(request.getOldInputs()).values,
    outputs: decodeProperties(request.getOlds()).bookkeeping,
  };
}

const isEmpty = ({ bookkeeping }: DecodedProperties): boolean => Object.keys(bookkeeping).length === 0;

const properties = (diffs: readonly PropertyDiff[]): string[] => [
  ...new Set(diffs.map(({ path }) => propertyOf(path))),
];

export function checkFailure({ property, reason }: CheckFailure): provider.CheckFailure {
  const failure = new provider.CheckFailure();
  failure.setProperty(property);
  failure.setReason(reason);
  return failure;
}

export function propertyDiff({ kind, replace }: PropertyDiff): provider.PropertyDiff {
  const kinds = provider.PropertyDiff.Kind;
  const inPlace = { add: kinds.ADD, delete: kinds.DELETE, update: kinds.UPDATE };
  const replacing = { add: kinds.ADD_REPLACE, delete: kinds.DELETE_REPLACE, update: kinds.UPDATE_REPLACE };
  const diff = new provider.PropertyDiff();
  diff.setKind((replace ? replacing : inPlace)[kind]);
  diff.setInputdiff(true); // paths name what the program wrote: the display shows old and new input
  return diff;
}
