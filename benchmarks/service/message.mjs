/** What everybody writes: message `index` of a thread, a text of 200 characters. */
export function textOf(index) {
  return `${index} `.padEnd(200, 'What was said in between stays what it was. ');
}
