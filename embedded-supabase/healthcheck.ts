/** The container's HEALTHCHECK: ends with 0 when /health of this container answers 200, with 1 and the reason else. */
const url = `http://127.0.0.1:${process.env.PORT ?? '54321'}/health`;
try {
  const response = await fetch(url, { signal: AbortSignal.timeout(4_000) });
  if (!response.ok) {
    process.stdout.write(`${response.status} ${await response.text()}\n`);
    process.exitCode = 1;
  }
} catch (error) {
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  process.stdout.write(`${url} does not answer (${error instanceof Error ? error.message : String(error)}${cause})\n`);
  process.exitCode = 1;
}
