/** What a person has to decide or mend before a box can be prepared: what is wrong, and the remedy. */
export class BoxProblem extends Error {
  override readonly name = 'BoxProblem';

  constructor(problem: string, remedy: string, options?: ErrorOptions) {
    super(`${problem}.\n${remedy}`, options);
  }
}
