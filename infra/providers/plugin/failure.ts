import grpc from '@grpc/grpc-js';
import provider from '@pulumi/pulumi/proto/provider_pb.js';
import statuses from '@pulumi/pulumi/proto/status_pb.js';
import anys from 'google-protobuf/google/protobuf/any_pb.js';
import type { Struct } from 'google-protobuf/google/protobuf/struct_pb.js';
import type { InitializationError } from './resource.ts';

/** An answer for the engine that means "no", in one readable message. */
export interface Failure {
  readonly code: grpc.status;
  readonly message: string;
  readonly metadata?: grpc.Metadata;
}

export function failure(error: unknown, code: grpc.status = grpc.status.UNKNOWN): Failure {
  return { code, message: readable(error) };
}

/** Tells the engine to store the resource although the operation failed. `properties` are its encoded outputs. */
export function initializationFailure(error: InitializationError, properties: Struct): Failure {
  const detail = new provider.ErrorResourceInitFailed();
  detail.setId(error.id);
  detail.setProperties(properties);
  detail.setReasonsList([...error.reasons]);
  const packed = new anys.Any();
  packed.pack(detail.serializeBinary(), 'pulumirpc.ErrorResourceInitFailed');
  const status = new statuses.Status();
  status.setCode(grpc.status.UNKNOWN);
  status.setMessage(readable(error));
  status.addDetails(packed);
  // gRPC's own place for structured errors; Node's library has no other way to send them.
  const metadata = new grpc.Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from(status.serializeBinary()));
  return { code: grpc.status.UNKNOWN, message: readable(error), metadata };
}

/** What is thrown by work that was aborted says only that it was: the signal knows why. */
export function orAbortReason(error: unknown, signal: AbortSignal): unknown {
  const isAbort = error instanceof Error && (error.name === 'AbortError' || error === signal.reason);
  return signal.aborted && isAbort ? new Error(messageOf(signal.reason), { cause: signal.reason }) : error;
}

/** The message and those of its causes, as far as they say something new; the stack only when asked for. */
export function readable(error: unknown): string {
  const messages: string[] = [];
  for (let at = error; at !== undefined && at !== null; at = at instanceof Error ? at.cause : undefined) {
    const message = messageOf(at);
    if (message !== '' && !messages.some((said) => said.includes(message))) messages.push(message);
  }
  const text = messages.join(': ') || 'failed without saying why';
  const stack = process.env.PULUMI_PROVIDER_DEBUG && error instanceof Error ? error.stack : undefined;
  return stack ? `${text}\n${stack}` : text;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node's error for several failed connection attempts has an empty message.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error.message || error.name;
}
