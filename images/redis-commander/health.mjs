// Healthy: the server answers. Whether Redis does is Redis's own health.
const response = await fetch('http://127.0.0.1:8081/healthcheck', { signal: AbortSignal.timeout(4_000) });
if ((await response.text()).trim() !== 'ok') process.exit(1);
