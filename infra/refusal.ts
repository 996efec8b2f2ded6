import * as pulumi from '@pulumi/pulumi';

/** Why the program does nothing, for a person. Pulumi shows the message alone, as a stack would help nobody. */
export class Refusal extends pulumi.RunError {}
