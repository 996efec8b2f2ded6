/** Why the base image can't be built: `message` says what is wrong and where, `remedy` what to do about it. */
export class BaseImageProblem extends Error {
  override name = 'BaseImageProblem';
  readonly remedy: string;

  constructor(message: string, options: { remedy: string; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.remedy = options.remedy;
  }
}
