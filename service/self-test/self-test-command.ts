import { ConfigurationError, readSettings } from '../config.ts';
import { SelfTest, SelfTestFailed } from './self-test.ts';

const usage = `--self-test write
--self-test read <token>

Waits until the service of this machine is healthy, and tries it over HTTP, as the server: "write" begins a conversation,
reads it back and prints a token; "read" finds everything again, and removes it for good. Exit code: 0 passed, 1 failed,
2 wrong use.`;

const exitCodes = { passed: 0, failed: 1, misused: 2 } as const;

/** Runs one half of the self-test and returns the exit code. Prints no secret. */
export async function selfTestCommand(args: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const [option, half, token, ...rest] = args;
  const isUse = option === '--self-test' && rest.length === 0;
  try {
    if (isUse && half === 'write' && token === undefined) {
      console.log(await new SelfTest(readSettings(environment)).write());
    } else if (isUse && half === 'read' && token !== undefined) {
      await new SelfTest(readSettings(environment)).read(token);
    } else {
      console.error(usage);
      return exitCodes.misused;
    }
    return exitCodes.passed;
  } catch (error) {
    if (!(error instanceof SelfTestFailed || error instanceof ConfigurationError)) throw error;
    console.error(error.message);
    return error instanceof ConfigurationError ? exitCodes.misused : exitCodes.failed;
  }
}
