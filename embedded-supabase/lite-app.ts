import { App, setExperimental } from '@supabase/lite';
import type { Logger } from 'pino';
import type { Keyring } from './auth/identity.ts';
import type { Settings } from './config.ts';
import type { EmbeddedConnection } from './database/connection.ts';
import { currentScope } from './request-scope.ts';
import { storageAdjustments } from './storage/adjustments.ts';
import type { FileStore } from './storage/file-store.ts';

/** lite with everything that it needs from us. Its own server, studio and admin endpoints stay out. */
export async function createLiteApp(
  settings: Settings,
  parts: { connection: EmbeddedConnection; keyring: Keyring; files: FileStore; log: Logger },
): Promise<App> {
  const { connection, keyring, files, log } = parts;
  setExperimental('storage', true);
  const app = new App({
    connection,
    api: { enabled: true, schemas: ['public'], max_rows: 1000, anonymous_enabled: false },
    auth: {
      enabled: true,
      jwt_secret: settings.jwtSecret,
      site_url: settings.siteUrl,
      enable_signup: true,
      enable_anonymous_sign_ins: false,
      email: { enable_signup: true, enable_confirmations: false },
    },
    storage: { enabled: true, file_size_limit: `${settings.maxFileSize}B` },
    db: { migrations: { enabled: false } },
    options: {
      drivers: {
        email: {
          // The text holds a one-time token: it goes nowhere.
          async send({ to, subject }) {
            log.warn({ to, subject }, 'no mail is sent: the embedded Supabase has no mail server');
          },
        },
      },
      server: {
        admin: false,
        disableStudio: true,
        disableFallback: true,
        middlewares: [storageAdjustments(connection, settings.maxFileSize)],
        apiKeys: { resolver: async (key) => currentScope()?.identity ?? (await keyring.resolveKey(key)) ?? null },
      },
    },
  });
  app._storageAdapter = files;
  return app.init();
}
