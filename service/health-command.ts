import { request } from 'undici';

/**
 * The container's own health check, as a mode of the program: asks the running service what `/health` says. Healthy is
 * also a service whose cache is away: it serves, and says so itself.
 */
export async function healthCommand(port: number): Promise<number> {
  try {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/health`, {
      headersTimeout: 4_500,
      bodyTimeout: 4_500,
    });
    const text = await body.text();
    process.stdout.write(`${text}\n`);
    return statusCode === 200 ? 0 : 1;
  } catch (error) {
    process.stdout.write(`the service does not answer: ${error instanceof Error ? error.message : String(error)}\n`);
    return 3;
  }
}
