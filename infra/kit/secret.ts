import * as pulumi from '@pulumi/pulumi';

export interface SecretArgs {
  /** Random bytes in it; the text is longer. */
  readonly bytes: number;
  /** What the text starts with. */
  readonly prefix?: string;
  /** Another number makes another secret. */
  readonly generation: number;
}

/** A secret made once and kept, encrypted, in the stack's state. Resource `kit:index:Secret` of `infra/providers/kit`. */
export class Secret extends pulumi.CustomResource {
  declare readonly value: pulumi.Output<string>;

  constructor(name: string, args: SecretArgs, opts: pulumi.CustomResourceOptions = {}) {
    // Protected: taking the stack down must not part the data from the passwords it was made with.
    super(
      'kit:index:Secret',
      name,
      { prefix: '', ...args, value: undefined },
      { protect: true, additionalSecretOutputs: ['value'], ...opts },
    );
  }
}
