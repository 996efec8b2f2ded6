/** The container's HEALTHCHECK: ends with 0 when /health of this container answers 200, with 1 and the reason else. */
const port = process.env.PORT ?? '54321';
try {
  const response = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(4_000) });
  if (!response.ok) {
    process.stdout.write(`${response.status} ${await response.text()}\n`);
    process.exitCode = 1;
  }
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
