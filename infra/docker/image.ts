import * as docker from '@pulumi/docker';
import * as pulumi from '@pulumi/pulumi';
import { type ContextFiles, type ImageRole, imageContext } from '../../images/context.ts';
import { fromProgram } from '../project-path.ts';

export interface KitImageArgs {
  readonly role: ImageRole;
  /** Image that it starts from. */
  readonly base: string;
  /** What goes into the build context besides the role's own folder. */
  readonly files?: ContextFiles;
}

/**
 * An image of ours. Its tag is a hash of all it is made of, known before the preview, so that the same content is the
 * same image and anything else is another one. Earlier ones stay on the engine: a rollback needs no build.
 */
export class KitImage extends pulumi.ComponentResource {
  /** `conversation-kit/<role>:<hash>` */
  readonly reference: string;

  constructor(name: string, args: KitImageArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super('conversation-kit:docker:KitImage', name, {}, opts);
    const { directory, reference } = imageContext(args.role, { base: args.base, files: args.files ?? {} });
    this.reference = reference;
    new docker.RemoteImage(
      name,
      {
        name: reference,
        keepLocally: true,
        build: { context: fromProgram(directory), buildArgs: { BASE: args.base } },
      },
      { parent: this },
    );
    this.registerOutputs({ reference });
  }
}
