import { packageSchema } from './package-schema.ts';

process.stdout.write(`${JSON.stringify(packageSchema(), null, 2)}\n`);
