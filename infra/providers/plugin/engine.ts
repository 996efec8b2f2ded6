import grpc from '@grpc/grpc-js';
import engineServices from '@pulumi/pulumi/proto/engine_grpc_pb.js';
import engine from '@pulumi/pulumi/proto/engine_pb.js';

/** What a provider says to the engine that started it. */
export interface EngineLog {
  /** Shown beside the resource while it is worked on, not kept. */
  status(urn: string, message: string): void;
  warning(urn: string, message: string): void;
}

/** The engine's messages may hold whole states: its own limit, not gRPC's 4 MB. */
export const channelOptions = {
  'grpc.max_receive_message_length': 400 * 1024 * 1024,
  'grpc.max_send_message_length': 400 * 1024 * 1024,
};

/** The engine at the other end of the address that it gave when it started this provider. */
export class Engine implements EngineLog {
  readonly #client: engineServices.EngineClient;

  constructor(address: string) {
    this.#client = new engineServices.EngineClient(address, grpc.credentials.createInsecure(), {
      ...channelOptions,
      'grpc.client_idle_timeout_ms': 2_147_483_647, // an idle channel would look like an engine that has gone
      'grpc.enable_http_proxy': 0,
    });
  }

  status(urn: string, message: string): void {
    this.#log(urn, message, engine.LogSeverity.INFO, true);
  }

  warning(urn: string, message: string): void {
    this.#log(urn, message, engine.LogSeverity.WARNING, false);
  }

  /** Resolves when the engine was there and then is not: it ended, or was killed. */
  async gone(): Promise<void> {
    const channel = this.#client.getChannel();
    const { READY, SHUTDOWN, TRANSIENT_FAILURE } = grpc.connectivityState;
    let wasReady = false;
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === SHUTDOWN || (wasReady && state === TRANSIENT_FAILURE)) return;
      wasReady ||= state === READY;
      await new Promise<void>((resolve) =>
        channel.watchConnectivityState(state, Number.POSITIVE_INFINITY, () => resolve()),
      );
    }
  }

  close(): void {
    this.#client.close();
  }

  #log(urn: string, message: string, severity: engine.LogSeverity, ephemeral: boolean): void {
    const request = new engine.LogRequest();
    request.setUrn(urn);
    request.setMessage(message);
    request.setSeverity(severity);
    request.setEphemeral(ephemeral);
    this.#client.log(request, (error) => {
      // A lost status line is no reason to fail the work; an engine that has gone is noticed by `gone`.
      if (error && process.env.PULUMI_PROVIDER_DEBUG)
        console.error(`the engine did not take a message: ${error.message}`);
    });
  }
}

/** For a provider that was started without an engine, as tests do: messages go nowhere. */
export const silentLog: EngineLog = { status: () => undefined, warning: () => undefined };
