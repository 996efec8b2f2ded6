import * as docker from '@pulumi/docker';
import * as pulumi from '@pulumi/pulumi';
import {
  type ContextFiles,
  type ImageIngredients,
  type ImageRole,
  imageContext,
  imageReference,
} from '../../images/context.ts';
import { laidOutProgram } from '../laid-out-program.ts';
import { fromProgram } from '../project-path.ts';

export interface KitImageArgs {
  readonly role: ImageRole;
  /** Image that it starts from. */
  readonly base: string;
  /** What goes into the build context besides the role's own folder. */
  readonly files?: ContextFiles;
  /** Names of the images that the engine has. */
  readonly present: ReadonlySet<string>;
}

/**
 * An image of ours. Its tag is a hash of all it is made of, known before the preview, so that the same content is the
 * same image and anything else is another one. Earlier ones stay on the engine, and what is there is not built again: a
 * rollback needs no build, no network, and no cache of the builder.
 */
export class KitImage extends pulumi.ComponentResource {
  /** `conversation-kit/<role>:<hash>` */
  readonly reference: string;
  /** Its id on the engine, `sha256:…`. */
  readonly engineId: pulumi.Output<string>;

  constructor(name: string, args: KitImageArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super('conversation-kit:docker:KitImage', name, {}, opts);
    const ingredients = { base: args.base, files: args.files ?? {} };
    this.reference = imageReference(args.role, ingredients);
    const isThere = args.present.has(this.reference);
    if (!isThere && laidOutProgram()) {
      throw new Error(
        `The engine has no image ${this.reference}, and a rollback builds none: nothing was changed. Deploy the commit of ` +
          'that release instead: git switch --detach <commit>, then npm run up',
      );
    }
    const image = new docker.RemoteImage(
      // Of another name, so that another image is made beside this one and inherits nothing of how this one was built.
      `${name}-${this.reference.split(':')[1]}`,
      {
        name: this.reference,
        keepLocally: true,
        ...(isThere ? {} : { build: buildOf(args.role, ingredients) }),
      },
      // Its name says what is in it. Whether it was built here or was there already is no difference.
      { parent: this, ignoreChanges: ['build'] },
    );
    this.engineId = image.imageId;
    this.registerOutputs({ reference: this.reference });
  }
}

function buildOf(role: ImageRole, ingredients: ImageIngredients): docker.types.input.RemoteImageBuild {
  const { directory } = imageContext(role, ingredients);
  return { context: fromProgram(directory), buildArgs: { BASE: ingredients.base } };
}
