import grpc from '@grpc/grpc-js';
import engineServices from '@pulumi/pulumi/proto/engine_grpc_pb.js';
import type engine from '@pulumi/pulumi/proto/engine_pb.js';
import services from '@pulumi/pulumi/proto/provider_grpc_pb.js';
import provider from '@pulumi/pulumi/proto/provider_pb.js';
import statuses from '@pulumi/pulumi/proto/status_pb.js';
import empties from 'google-protobuf/google/protobuf/empty_pb.js';
import structs from 'google-protobuf/google/protobuf/struct_pb.js';
import { Engine } from '../../../infra/providers/plugin/engine.ts';
import { type ProviderDefinition, ProviderServer } from '../../../infra/providers/plugin/server.ts';

/** Values as Pulumi's protocol writes them. */
export const onWire = {
  unknown: '04da6b54-80e4-46f7-96ec-b56ff0331ba9',
  secret: (value: structs.JavaScriptValue) => ({
    '4dabf18193072939515e22adb298388d': '1b47061264138c4ac30d75fd1eb44270',
    value,
  }),
};

export type Properties = { [key: string]: structs.JavaScriptValue };

/** Talks to a provider over gRPC on loopback as the engine does, and listens to what it says. */
export interface TestEngine {
  readonly client: services.ResourceProviderClient;
  readonly said: { message: string; urn: string; severity: number; ephemeral: boolean }[];
  configure(args?: Properties): Promise<void>;
  check(news: Properties, olds?: Properties): Promise<{ inputs: Properties; failures: Record<string, string> }>;
  diff(
    old: { id?: string; inputs: Properties; outputs?: Properties },
    news: Properties,
  ): Promise<provider.DiffResponse.AsObject>;
  create(
    properties: Properties,
    options?: { preview?: boolean; timeout?: number },
  ): Promise<{ id: string; outputs: Properties }>;
  read(
    id: string,
    state?: { inputs: Properties; outputs: Properties },
  ): Promise<{ id: string; inputs: Properties; outputs: Properties }>;
  update(
    id: string,
    old: { inputs: Properties; outputs: Properties },
    news: Properties,
    options?: { preview?: boolean },
  ): Promise<Properties>;
  delete(id: string, outputs: Properties): Promise<void>;
  cancel(): Promise<void>;
  close(): Promise<void>;
}

export async function startEngine<Config>(
  definition: ProviderDefinition<Config>,
  token = definition.resources[0]?.token,
): Promise<TestEngine> {
  const said: TestEngine['said'] = [];
  const server = new grpc.Server();
  server.addService(engineServices.EngineService, {
    log: (call: grpc.ServerUnaryCall<engine.LogRequest, unknown>, answer: grpc.sendUnaryData<unknown>) => {
      const { message, urn, severity, ephemeral } = call.request.toObject();
      said.push({ message, urn, severity, ephemeral });
      answer(null, new empties.Empty());
    },
  });
  const enginePort = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
  const log = new Engine(`127.0.0.1:${enginePort}`);
  const served = new ProviderServer(definition, log);
  const client = new services.ResourceProviderClient(
    `127.0.0.1:${await served.listen()}`,
    grpc.credentials.createInsecure(),
  );
  const urn = `urn:pulumi:test::project::${token}::thing`;
  const plain = (struct: structs.Struct | undefined): Properties => struct?.toJavaScript() ?? {};
  return {
    client,
    said,
    async configure(args = {}) {
      const request = new provider.ConfigureRequest();
      request.setArgs(struct(args));
      await call<provider.ConfigureResponse>((answer) => client.configure(request, answer));
    },
    async check(news, olds) {
      const request = new provider.CheckRequest();
      request.setUrn(urn);
      request.setNews(struct(news));
      if (olds) request.setOlds(struct(olds));
      const response = await call<provider.CheckResponse>((answer) => client.check(request, answer));
      const failures = response.getFailuresList().map((one) => [one.getProperty(), one.getReason()]);
      return { inputs: plain(response.getInputs()), failures: Object.fromEntries(failures) };
    },
    async diff(old, news) {
      const request = new provider.DiffRequest();
      request.setUrn(urn);
      request.setId(old.id ?? 'id');
      request.setOldInputs(struct(old.inputs));
      request.setOlds(struct(old.outputs ?? old.inputs));
      request.setNews(struct(news));
      return (await call<provider.DiffResponse>((answer) => client.diff(request, answer))).toObject();
    },
    async create(properties, options = {}) {
      const request = new provider.CreateRequest();
      request.setUrn(urn);
      request.setProperties(struct(properties));
      request.setPreview(options.preview ?? false);
      request.setTimeout(options.timeout ?? 0);
      const response = await call<provider.CreateResponse>((answer) => client.create(request, answer));
      return { id: response.getId(), outputs: plain(response.getProperties()) };
    },
    async read(id, state) {
      const request = new provider.ReadRequest();
      request.setUrn(urn);
      request.setId(id);
      if (state) {
        request.setInputs(struct(state.inputs));
        request.setProperties(struct(state.outputs));
      }
      const response = await call<provider.ReadResponse>((answer) => client.read(request, answer));
      return { id: response.getId(), inputs: plain(response.getInputs()), outputs: plain(response.getProperties()) };
    },
    async update(id, old, news, options = {}) {
      const request = new provider.UpdateRequest();
      request.setUrn(urn);
      request.setId(id);
      request.setOldInputs(struct(old.inputs));
      request.setOlds(struct(old.outputs));
      request.setNews(struct(news));
      request.setPreview(options.preview ?? false);
      return plain((await call<provider.UpdateResponse>((answer) => client.update(request, answer))).getProperties());
    },
    async delete(id, outputs) {
      const request = new provider.DeleteRequest();
      request.setUrn(urn);
      request.setId(id);
      request.setProperties(struct(outputs));
      await call<empties.Empty>((answer) => client.delete(request, answer));
    },
    async cancel() {
      await call<empties.Empty>((answer) => client.cancel(new empties.Empty(), answer));
    },
    async close() {
      client.close();
      await served.close('the test has ended');
      log.close();
      server.forceShutdown();
    },
  };
}

/** What the engine stores of a resource whose creation or update failed after something was made. */
export function storedDespite(error: unknown): { id: string; reasons: string[]; outputs: Properties } | undefined {
  const details = error instanceof Error && 'metadata' in error ? error.metadata : undefined;
  const packed = details instanceof grpc.Metadata ? details.get('grpc-status-details-bin')[0] : undefined;
  if (!Buffer.isBuffer(packed)) return undefined;
  const detail = statuses.Status.deserializeBinary(packed).getDetailsList()[0];
  const stored = detail?.unpack(
    provider.ErrorResourceInitFailed.deserializeBinary,
    'pulumirpc.ErrorResourceInitFailed',
  );
  return stored
    ? {
        id: stored.getId(),
        reasons: stored.getReasonsList(),
        outputs: stored.getProperties()?.toJavaScript() ?? {},
      }
    : undefined;
}

const struct = (properties: Properties): structs.Struct => structs.Struct.fromJavaScript(properties);

function call<Response>(send: (answer: (error: grpc.ServiceError | null, response: Response) => void) => unknown) {
  return new Promise<Response>((resolve, reject) =>
    send((error, response) => (error ? reject(error) : resolve(response))),
  );
}
