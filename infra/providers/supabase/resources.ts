import { bucket } from './bucket/bucket.ts';
import { migrations } from './migrations/migrations.ts';

/** Every resource of the provider: what it serves, what its schema, SDK and reference are made from. */
export const resources = [bucket, migrations] as const;
