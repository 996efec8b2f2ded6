import * as pulumi from '@pulumi/pulumi';
import { disconnect } from '@pulumi/pulumi/runtime/settings.js';

export interface RegisteredResource {
  readonly type: string;
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a program gives to a resource is whatever that resource takes
  readonly inputs: Record<string, any>;
}

/** Runs a program without an engine and returns what it registered: resources echo their inputs as outputs. */
export async function registeredBy(program: () => unknown): Promise<RegisteredResource[]> {
  const registered: RegisteredResource[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        registered.push({ type, name, inputs });
        return {
          id: `${name}-id`,
          state: { ...inputs, ...(type === 'kit:index:Secret' ? { value: `value of ${name}` } : {}) },
        };
      },
      call: ({ inputs }) => inputs,
    },
    'conversation-kit',
    'local',
  );
  await pulumi.runtime.runInPulumiStack(async () => {
    program();
  });
  await disconnect();
  return registered;
}
