import grpc from '@grpc/grpc-js';
import plugins from '@pulumi/pulumi/proto/plugin_pb.js';
import services from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import provider from '@pulumi/pulumi/proto/provider_pb.js';
import empties from 'google-protobuf/google/protobuf/empty_pb.js';
import type { z } from 'zod';
import { parseConfig } from './configuration.ts';
import { differences } from './difference.ts';
import { channelOptions, type EngineLog, silentLog } from './engine.ts';
import { type Failure, failure, initializationFailure, orAbortReason } from './failure.ts';
import { checkFailure, propertyDiff, ResourceOperations } from './operations.ts';
import { propertyOf } from './property-path.ts';
import { decodeProperties } from './property-values.ts';
import { type AnyResourceDefinition, InitializationError, type ResourceContext } from './resource.ts';

/** A provider: its name and version in Pulumi's words, its configuration and its types of resource. */
export interface ProviderDefinition<Config> {
  readonly name: string;
  readonly version: string;
  /** The Pulumi package schema, as JSON. */
  schema?(): Promise<string>;
  readonly config: z.ZodType<Config>;
  readonly resources: readonly AnyResourceDefinition<Config>[];
}

/** A call that names a resource, and may have a time limit (seconds, 0 for none) and be for a preview. */
interface ResourceRequest {
  getUrn(): string;
  getTimeout?(): number;
  getPreview?(): boolean;
}

type Call<Request> = grpc.ServerUnaryCall<Request, unknown>;

/** Pulumi's provider protocol over gRPC, for one provider and one engine. */
export class ProviderServer<Config> {
  readonly #provider: ProviderDefinition<Config>;
  readonly #log: EngineLog;
  readonly #operations: ReadonlyMap<string, ResourceOperations<Config>>;
  readonly #cancelled = new AbortController();
  readonly #server = new grpc.Server(channelOptions);
  readonly #running = new Set<Promise<unknown>>();
  #config: { readonly value: Config } | undefined;

  constructor(definition: ProviderDefinition<Config>, log: EngineLog = silentLog) {
    this.#provider = definition;
    this.#log = log;
    this.#operations = new Map(definition.resources.map((one) => [one.token, new ResourceOperations(one)]));
    this.#server.addService(services.ResourceProviderService, this.#handlers());
  }

  /** Listens on loopback; resolves with the port. */
  listen(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
  }

  /** Aborts what is under way, waits for it to end, and stops listening. */
  async close(reason: string): Promise<void> {
    this.#cancelled.abort(new Error(reason));
    await Promise.allSettled(this.#running);
    this.#server.forceShutdown();
  }

  #handlers(): grpc.UntypedServiceImplementation {
    return {
      handshake: this.#unary(async () => {
        const response = new provider.ProviderHandshakeResponse();
        response.setAcceptSecrets(true);
        response.setSupportsAutonamingConfiguration(true);
        return response;
      }),
      getPluginInfo: this.#unary(async () => {
        const info = new plugins.PluginInfo();
        info.setVersion(this.#provider.version);
        return info;
      }),
      getSchema: this.#unary(async () => {
        const response = new provider.GetSchemaResponse();
        response.setSchema((await this.#provider.schema?.()) ?? this.#bareSchema());
        return response;
      }),
      checkConfig: this.#unary((call: Call<provider.CheckRequest>) => this.#checkConfig(call.request)),
      diffConfig: this.#unary((call: Call<provider.DiffRequest>) => this.#diffConfig(call.request)),
      configure: this.#unary((call: Call<provider.ConfigureRequest>) => this.#configure(call.request)),
      check: this.#onResource<provider.CheckRequest>((resource, request, context) => resource.check(request, context)),
      diff: this.#onResource<provider.DiffRequest>((resource, request, context) => resource.diff(request, context)),
      create: this.#onResource<provider.CreateRequest>(
        (resource, request, context) => resource.create(request, context),
        (request) => decodeProperties(request.getProperties()),
      ),
      read: this.#onResource<provider.ReadRequest>(
        (resource, request, context) => resource.read(request, context),
        (request) => decodeProperties(request.getInputs()),
      ),
      update: this.#onResource<provider.UpdateRequest>(
        (resource, request, context) => resource.update(request, context),
        (request) => decodeProperties(request.getNews()),
      ),
      delete: this.#onResource<provider.DeleteRequest>((resource, request, context) =>
        resource.delete(request, context),
      ),
      cancel: this.#unary(async () => {
        this.#cancelled.abort(new Error('cancelled'));
        return new empties.Empty();
      }),
    };
  }

  #onResource<Request extends ResourceRequest>(
    operate: (
      resource: ResourceOperations<Config>,
      request: Request,
      context: ResourceContext<Config>,
    ) => Promise<object>,
    /** The inputs of an operation that can leave something half made. */
    inputsOf?: (request: Request) => ReturnType<typeof decodeProperties>,
  ) {
    return this.#unary(async (call: Call<Request>) => {
      const { request } = call;
      const resource = this.#resource(request.getUrn());
      const limit = timeLimit(request.getTimeout?.() ?? 0);
      const context = this.#context(call, limit.signal);
      try {
        return await operate(resource, request, context);
      } catch (error) {
        if (!(error instanceof InitializationError) || !inputsOf) throw orAbortReason(error, context.signal);
        const properties = resource.encodeOutputs(error.outputs, inputsOf(request));
        throw new AnswerError(initializationFailure(error, properties), error);
      } finally {
        limit.lift();
      }
    });
  }

  #unary<Request, Response>(handle: (call: Call<Request>) => Promise<Response>) {
    return (call: Call<Request>, answer: grpc.sendUnaryData<Response>): void => {
      const running = handle(call).then(
        (response) => answer(null, response),
        (error: unknown) => answer(error instanceof AnswerError ? error.failure : failure(error)),
      );
      this.#running.add(running);
      void running.finally(() => this.#running.delete(running));
    };
  }

  #resource(urn: string): ResourceOperations<Config> {
    const token = tokenOf(urn);
    const resource = this.#operations.get(token);
    if (resource) return resource;
    throw new Error(
      `this ${this.#provider.name} provider has no resource ${token}; it has ${[...this.#operations.keys()].join(', ')}`,
    );
  }

  #context<Request extends ResourceRequest>(call: Call<Request>, limit: AbortSignal): ResourceContext<Config> {
    const { request } = call;
    const urn = request.getUrn();
    if (!this.#config) throw new Error(`the ${this.#provider.name} provider was not configured before its first use`);
    const callEnded = new AbortController();
    call.on('cancelled', () => callEnded.abort(new Error('cancelled by the engine')));
    return {
      urn,
      preview: request.getPreview?.() ?? false,
      signal: AbortSignal.any([this.#cancelled.signal, callEnded.signal, limit]),
      config: this.#config.value,
      progress: (message) => this.#log.status(urn, message),
      warn: (message) => this.#log.warning(urn, message),
    };
  }

  async #checkConfig(request: provider.CheckRequest): Promise<provider.CheckResponse> {
    const { values } = decodeProperties(request.getNews());
    const response = new provider.CheckResponse();
    response.setInputs(request.getNews());
    response.setFailuresList(parseConfig(this.#provider.config, values).failures.map(checkFailure));
    return response;
  }

  /** A provider configured anew keeps its resources: none of them is replaced for that. */
  async #diffConfig(request: provider.DiffRequest): Promise<provider.DiffResponse> {
    const olds = request.hasOldInputs() ? request.getOldInputs() : request.getOlds();
    const found = differences(decodeProperties(olds).values, decodeProperties(request.getNews()).values);
    const { DIFF_NONE, DIFF_SOME } = provider.DiffResponse.DiffChanges;
    const response = new provider.DiffResponse();
    response.setChanges(found.length > 0 ? DIFF_SOME : DIFF_NONE);
    response.setDiffsList([...new Set(found.map(({ path }) => propertyOf(path)))]);
    response.setHasdetaileddiff(true);
    for (const difference of found) response.getDetaileddiffMap().set(difference.path, propertyDiff(difference));
    return response;
  }

  async #configure(request: provider.ConfigureRequest): Promise<provider.ConfigureResponse> {
    const { config, failures } = parseConfig(this.#provider.config, decodeProperties(request.getArgs()).values);
    if (config === undefined)
      throw new Error(
        `the configuration of the ${this.#provider.name} provider has mistakes: ${failures
          .map(({ property, reason }) => `${this.#provider.name}:${property}: ${reason}`)
          .join('; ')}`,
      );
    this.#config = { value: config };
    const response = new provider.ConfigureResponse();
    response.setAcceptsecrets(true);
    response.setSupportspreview(true);
    response.setSupportsAutonamingConfiguration(true);
    return response;
  }

  #bareSchema(): string {
    const resources = Object.fromEntries([...this.#operations.keys()].map((token) => [token, {}]));
    return JSON.stringify({ name: this.#provider.name, version: this.#provider.version, resources });
  }
}

/** `seconds` are the resource's `customTimeouts`; 0 means none. */
function timeLimit(seconds: number): { signal: AbortSignal; lift(): void } {
  const controller = new AbortController();
  if (seconds <= 0) return { signal: controller.signal, lift: () => undefined };
  const reason = new Error(`timed out after ${seconds} s, the limit that the resource's customTimeouts set`);
  const timer = setTimeout(() => controller.abort(reason), seconds * 1000);
  return { signal: controller.signal, lift: () => clearTimeout(timer) };
}

class AnswerError extends Error {
  readonly failure: Failure;

  constructor(failed: Failure, cause: unknown) {
    super(failed.message, { cause });
    this.failure = failed;
  }
}

/** Type token in a URN: `urn:pulumi:stack::project::parent$package:module:Name::name`. */
function tokenOf(urn: string): string {
  return urn.split('::')[2]?.split('$').at(-1) ?? urn;
}
