// Gives Redis Commander its password from a file, inside the process: no argument and no environment shows it.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { REDIS_HOST = 'redis', REDIS_PORT = '6379', REDIS_PASSWORD_FILE = '', HTTP_PASSWORD_FILE = '' } = process.env;
if (!existsSync(REDIS_PASSWORD_FILE)) {
  console.error(
    `There is no file ${REDIS_PASSWORD_FILE || '(REDIS_PASSWORD_FILE is not set)'}: mount Redis's password there.`,
  );
  process.exit(2);
}
const secret = (/** @type {string} */ path) => readFileSync(path, 'utf8').trim();

process.env.NODE_CONFIG = JSON.stringify({
  noSave: true,
  noLogData: true,
  ui: { locked: false },
  server: existsSync(HTTP_PASSWORD_FILE)
    ? { httpAuth: { username: 'admin', password: secret(HTTP_PASSWORD_FILE) } }
    : {},
  connections: [
    {
      label: 'conversation-kit',
      host: REDIS_HOST,
      port: Number(REDIS_PORT),
      password: secret(REDIS_PASSWORD_FILE),
      dbIndex: 0,
      connectionName: 'redis-commander',
    },
  ],
});

createRequire(import.meta.url)('redis-commander/bin/redis-commander.js');
