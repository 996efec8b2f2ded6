/**
 * In the metadata of conversations that tests of a running service write, and of no other: by it they are found and
 * deleted, also when the test that wrote them was killed.
 */
export const smokeMark = { 'conversation-kit-smoke-test': true };
